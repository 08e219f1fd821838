//! `shim hooks`: the roster of interposed functions, read from the library itself.

use crate::escape::{bytes, shown};
use crate::message::{Failure, exit};
use crate::{files, library};
use object::read::{File, ReadCache};
use object::{Object, ObjectSection};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

/// Lines `symbol TAB family TAB required|optional|… TAB versions`, with NUL padding between entries.
const SECTION: &str = ".shim.roster";

pub fn hooks() -> Result<ExitCode, Failure> {
    let library = library::find().map_err(|why| Failure::new(exit::PARTLY, why))?;
    let roster = roster(&library).map_err(|why| Failure::new(exit::PARTLY, format!("{}: {why}", shown(&library))))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let rows = rows(&roster);
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (symbol, family, need) = (width(0), width(1), width(2));
    for row in &rows {
        let line = format!("{:symbol$}  {:family$}  {:need$}  {}", row[0], row[1], row[2], row[3]);
        writeln!(out, "{}", line.trim_end())?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn roster(library: &Path) -> Result<Vec<u8>, String> {
    let (file, _) = files::open(library).map_err(|e| crate::message::reason(&e))?;
    let cache = ReadCache::new(file);
    let object = File::parse(&cache).map_err(|_| "not an object file".to_owned())?;
    let section = object.section_by_name(SECTION).ok_or("no roster in this library")?;
    Ok(section.data().map_err(|e| e.to_string())?.to_vec())
}

/// The entries by family, then by name. A missing field is empty.
fn rows(roster: &[u8]) -> Vec<[String; 4]> {
    let lines = roster.split(|b| *b == b'\n' || *b == 0).filter(|line| !line.is_empty());
    let mut rows: Vec<[String; 4]> = lines
        .map(|line| {
            let mut fields = line.split(|b| *b == b'\t').map(|field| bytes(field.trim_ascii()));
            std::array::from_fn(|_| fields.next().unwrap_or_default())
        })
        .collect();
    rows.sort_by(|a, b| (&a[1], &a[0]).cmp(&(&b[1], &b[0])));
    rows
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn entries_with_and_without_padding() {
        let text =
            b"open\tfd\trequired\t\n\0\0\0close\tfd\trequired\t\nmalloc\theap\trequired\tGLIBC_2.2.5 \n\0broken\0";
        let expected = [
            ["broken", "", "", ""],
            ["close", "fd", "required", ""],
            ["open", "fd", "required", ""],
            ["malloc", "heap", "required", "GLIBC_2.2.5"],
        ];
        assert_eq!(rows(text), expected.map(|row| row.map(str::to_owned)));
    }
}
