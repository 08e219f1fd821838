//! Where the recordings of this run go: a directory of the user's, or a private one that goes away.

use crate::escape::shown;
use crate::message::reason;
use crate::{options, recordings};
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub struct Place {
    directory: PathBuf,
    /// Deleted when this is dropped.
    temporary: Option<TempDir>,
    /// What the library must be told; nothing when the environment already says it.
    option: Option<OsString>,
    /// What lay there before: of other runs.
    before: HashSet<PathBuf>,
}

impl Place {
    /// `--record` decides, then a `record` key in the environment; without either it is a temporary directory.
    pub fn choose(wanted: Option<&Path>, environment: Option<&OsStr>) -> Result<Self, String> {
        if let Some(wanted) = wanted {
            let directory = usable(wanted)?;
            return Ok(Self::kept(directory.clone(), Some(literal(&directory))));
        }
        if let Some(given) = environment.and_then(|e| options::value(e, "record")) {
            return Ok(Self::kept(fixed_part(&given), None));
        }
        let private = std::fs::Permissions::from_mode(0o700);
        let temporary = tempfile::Builder::new().prefix("shim.").permissions(private).tempdir();
        let temporary = temporary
            .map_err(|e| format!("{}: no temporary directory: {}", shown(std::env::temp_dir()), reason(&e)))?;
        let directory = temporary.path().to_owned();
        let option = Some(literal(&directory));
        Ok(Self { directory, temporary: Some(temporary), option, before: HashSet::new() })
    }

    fn kept(directory: PathBuf, option: Option<OsString>) -> Self {
        let before =
            if directory.is_dir() { recordings::find(std::slice::from_ref(&directory)).files } else { Vec::new() };
        Self { directory, temporary: None, option, before: before.into_iter().collect() }
    }

    pub fn option(&self) -> Option<(&'static str, OsString)> {
        self.option.clone().map(|value| ("record", value))
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// A temporary directory stays after all.
    pub fn keep(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            self.directory = temporary.keep();
        }
    }

    /// The recordings of this run.
    pub fn recordings(&self) -> Vec<PathBuf> {
        let found = recordings::find(std::slice::from_ref(&self.directory)).files;
        found.into_iter().filter(|path| !self.before.contains(path)).collect()
    }
}

/// The directory, made if need be, absolute, and known to take files.
fn usable(directory: &Path) -> Result<PathBuf, String> {
    let why = |e: std::io::Error| format!("{}: cannot record there: {}", shown(directory), reason(&e));
    std::fs::create_dir_all(directory).map_err(why)?;
    let directory = directory.canonicalize().map_err(why)?;
    tempfile::Builder::new().prefix(".shim.").tempfile_in(&directory).map_err(why)?;
    Ok(directory)
}

/// The library expands `%p`, `%e` and `%r` in this value, and `%%` to a percent sign.
fn literal(directory: &Path) -> OsString {
    let bytes = directory.as_os_str().as_bytes();
    OsString::from_vec(
        bytes.iter().flat_map(|b| if *b == b'%' { &b"%%"[..] } else { std::slice::from_ref(b) }).copied().collect(),
    )
}

/// The directories before the first one whose name differs from process to process.
fn fixed_part(value: &OsStr) -> PathBuf {
    let mut fixed = PathBuf::new();
    for component in Path::new(value).components() {
        let name = component.as_os_str().as_bytes();
        let mut plain = Vec::new();
        let mut bytes = name.iter().copied();
        while let Some(byte) = bytes.next() {
            if byte == b'%' && bytes.next() != Some(b'%') {
                return fixed;
            }
            plain.push(byte);
        }
        fixed.push(OsString::from_vec(plain));
    }
    fixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_wish_it_is_private_and_goes_away() {
        let place = Place::choose(None, Some(OsStr::new("fd=protect"))).unwrap();
        let directory = place.directory().to_owned();
        assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(place.is_temporary() && place.option().is_some());
        drop(place);
        assert!(!directory.exists());
    }

    #[test]
    fn what_was_there_before_is_of_another_run() {
        let root = tempfile::tempdir().unwrap();
        let wanted = root.path().join("a%b:c");
        std::fs::create_dir(&wanted).unwrap();
        std::fs::write(wanted.join("old.1.0.shim"), "begun").unwrap();
        let place = Place::choose(Some(&wanted), Some(OsStr::new("record=/elsewhere"))).unwrap();
        std::fs::write(wanted.join("new.2.0.shim"), "begun").unwrap();
        let found = place.recordings();
        assert_eq!(found, [wanted.canonicalize().unwrap().join("new.2.0.shim")]);
        let (key, value) = place.option().unwrap();
        assert_eq!((key, value.to_string_lossy().ends_with("a%%b:c")), ("record", true));
        drop(place);
        assert!(wanted.exists());
    }

    #[test]
    fn the_environment_may_have_chosen() {
        let place = Place::choose(None, Some(OsStr::new(r"fd=off:record=/srv/a\:b"))).unwrap();
        assert_eq!((place.directory(), place.option()), (Path::new("/srv/a:b"), None));
        for (value, fixed) in [("/srv/r%r/x", "/srv"), ("/srv/100%%/%p", "/srv/100%"), ("rel/x", "rel/x")] {
            assert_eq!(fixed_part(OsStr::new(value)), Path::new(fixed));
        }
    }

    #[test]
    fn a_place_that_takes_no_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let why = Place::choose(Some(file.path()), None).err().unwrap();
        assert!(why.contains("cannot record there"), "{why}");
    }
}
