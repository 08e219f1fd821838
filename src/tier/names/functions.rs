//! Functions by address, out of a file's symbol tables.

use super::Elf;
use object::{Object, ObjectSymbol, SymbolKind};

#[derive(Debug, Default)]
pub struct Functions<'a> {
    /// Sorted by where they start.
    all: Vec<Function<'a>>,
}

#[derive(Debug)]
struct Function<'a> {
    start: u64,
    size: u64,
    name: &'a [u8],
}

impl<'a> Functions<'a> {
    pub fn of<'e>(files: impl Iterator<Item = &'e Elf<'a>>) -> Self
    where
        'a: 'e,
    {
        let mut all = Vec::new();
        for file in files {
            for symbol in file.symbols().chain(file.dynamic_symbols()) {
                if symbol.is_definition() && symbol.kind() == SymbolKind::Text {
                    let name = symbol.name_bytes().unwrap_or_default();
                    if !name.is_empty() {
                        all.push(Function { start: symbol.address(), size: symbol.size(), name });
                    }
                }
            }
        }
        all.sort_unstable_by(|a, b| (a.start, a.size, a.name).cmp(&(b.start, b.size, b.name)));
        all.dedup_by(|a, b| (a.start, a.name) == (b.start, b.name));
        Self { all }
    }

    pub fn find(&self, address: u64) -> Option<&'a [u8]> {
        // Symbols may lie in each other, so some are looked at that begin before the nearest.
        const LOOKED_AT: usize = 64;
        let end = self.all.partition_point(|function| function.start <= address);
        let before = self.all[..end].iter().rev().take(LOOKED_AT);
        let mut inside = before.filter(|f| address - f.start < f.size || f.size == 0 && address == f.start);
        let first = inside.next()?;
        // Of names for the same code, the public one reads best: the fewest underscores at its front.
        let same = std::iter::once(first).chain(inside.take_while(|f| f.start == first.start));
        same.min_by_key(|f| f.name.iter().take_while(|b| **b == b'_').count()).map(|f| f.name)
    }
}
