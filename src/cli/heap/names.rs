//! What the calls of a profile are called, each looked up once.
//!
//! **Whose call it is.** The innermost frame is what called the allocator, and often that is not what a person looks for: a
//! string of the C++ library, a wrapper that ends the program when malloc fails. [`Names::place`] passes over those.

use super::profile::{Entry, Profile};
use crate::escape::{bytes, shown};
use crate::merge::Site;
use crate::symbolise::{Location, Symboliser};
use std::rc::Rc;

/// Modules of the C and C++ libraries.
const RUNTIMES: [&[u8]; 9] = [
    b"libc.so.",
    b"libc-",
    b"libstdc++.so",
    b"libc++",
    b"libgcc_s",
    b"ld-linux",
    b"libpthread",
    b"libshim.so",
    b"libm.so.",
];

/// Functions that allocate for whoever calls them, by how their names begin.
const WRAPPERS: [&str; 24] = [
    "std::",
    "__gnu_cxx::",
    "operator new",
    "alloc::",
    "core::",
    "<alloc::",
    "<core::",
    "hashbrown::",
    "__rust_alloc",
    "__rdl_",
    "__rg_",
    "xmalloc",
    "xcalloc",
    "xrealloc",
    "xstrdup",
    "g_malloc",
    "g_realloc",
    "g_slice_alloc",
    "g_strdup",
    "PyMem_",
    "_PyMem_",
    "PyObject_Malloc",
    "PyObject_Realloc",
    "_PyObject_",
];

/// A call, and what it is called.
pub type Call = (Site, Location);

pub struct Names<'a> {
    profile: &'a Profile,
    symbols: &'a mut Symboliser,
    known: Vec<Option<Rc<[Location]>>>,
}

impl<'a> Names<'a> {
    pub fn new(profile: &'a Profile, symbols: &'a mut Symboliser) -> Self {
        Self { profile, symbols, known: vec![None; profile.sites_len()] }
    }

    /// At least one, innermost first.
    pub fn of(&mut self, site: u32) -> Rc<[Location]> {
        let place = self.known.get_mut(site as usize);
        if let Some(Some(known)) = place {
            return known.clone();
        }
        let found = self.symbols.locate(&self.profile.site(site));
        if let Some(place) = self.known.get_mut(site as usize) {
            *place = Some(found.clone());
        }
        found
    }

    /// The calls of a stack, innermost first: each with what was inlined there.
    pub fn stack(&mut self, entry: &Entry) -> Vec<Call> {
        let profile = self.profile;
        let mut calls = Vec::new();
        for site in profile.sites_of(entry) {
            let locations = self.of(*site);
            calls.extend(locations.iter().map(|location| (profile.site(*site), location.clone())));
        }
        calls
    }
}

/// The calls of a stack, as [`Names::stack`] has them, for a few stacks of many profiles.
pub fn calls(profile: &Profile, entry: &Entry, symbols: &mut Symboliser) -> Vec<Call> {
    let mut calls = Vec::new();
    for site in profile.sites_of(entry) {
        let site = profile.site(*site);
        calls.extend(symbols.locate(&site).iter().map(|location| (site.clone(), location.clone())));
    }
    calls
}

/// The index of the call that a person would name: the first that is neither a runtime's nor a wrapper.
pub fn place(calls: &[Call]) -> usize {
    calls.iter().position(|(site, location)| !is_passed(site, location)).unwrap_or(0)
}

/// Does the call allocate for whoever made it?
pub fn is_passed(site: &Site, location: &Location) -> bool {
    let module = site.module.as_ref().map_or(&b""[..], |m| base(&m.path));
    let function = location.function.as_deref().unwrap_or_default();
    // Templates have their result in front: `void std::vector<…`.
    let end = function.find(['(', '<']).unwrap_or(function.len());
    let bare = function[..end].rfind(' ').map_or(function, |space| &function[space + 1..]);
    RUNTIMES.iter().any(|runtime| module.starts_with(runtime))
        || WRAPPERS.iter().any(|wrapper| function.starts_with(wrapper) || bare.starts_with(wrapper))
}

/// Where the calls end that say something: those that start a program or a thread do not.
pub fn until_start(calls: &[Call]) -> usize {
    let starts = |(site, location): &Call| {
        let module = site.module.as_ref().map_or(&b""[..], |m| base(&m.path));
        module.starts_with(b"libc.so.")
            || module.starts_with(b"libpthread.so.")
            || location.function.as_deref() == Some("_start")
    };
    calls.iter().rposition(|call| !starts(call)).map_or(1, |last| last + 1)
}

pub fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or_default()
}

/// The function, or module and offset.
pub fn label(site: &Site, location: &Location) -> String {
    match (&location.function, &site.module) {
        (Some(function), _) => shown(function),
        (None, Some(module)) => format!("{}+{:#x}", bytes(base(&module.path)), site.offset),
        (None, None) => format!("{:#x}", site.offset),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::ModuleId;
    use std::sync::Arc;

    fn call(module: &str, function: &str) -> (Site, Location) {
        let module = Some(Arc::new(ModuleId { path: module.into(), build_id: Vec::new() }));
        let location = Location { function: Some(function.to_owned()), ..Location::default() };
        (Site { module, offset: 7 }, location)
    }

    #[test]
    fn who_is_named() {
        let stack = [
            call("/usr/lib/libstdc++.so.6", "??"),
            call("/srv/app", "std::vector<int>::push_back(int const&)"),
            call("/srv/app", "void std::vector<int>::_M_realloc_insert<int>(int&&)"),
            call("/srv/app", "xmalloc"),
            call("/srv/app", "load_table"),
            call("/srv/app", "main"),
        ];
        assert_eq!(place(&stack), 4);
        assert_eq!(place(&stack[4..]), 0);
        // Nobody else: the innermost.
        assert_eq!(place(&stack[..4]), 0);
        assert_eq!(place(&[]), 0);
    }

    #[test]
    fn what_it_is_called() {
        let (site, location) = call("/srv/a\u{1b}pp", "f\n");
        assert_eq!(label(&site, &location), r"f\x0a");
        assert_eq!(label(&site, &Location::default()), r"a\x1bpp+0x7");
        assert_eq!(label(&Site { module: None, offset: 16 }, &Location::default()), "0x10");
    }
}
