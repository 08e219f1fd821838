//! Descriptors: the kernel gives the lowest number that is free; a number is open, or it is known who closed it.

use super::{Found, Play, found};
use crate::steps::PLACES;
use std::collections::{BTreeMap, BTreeSet};

const EBADF: (i64, i32) = (-1, libc::EBADF);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Object {
    Null,
    Pipe,
    Socket,
}

#[derive(Clone, Copy)]
struct Open {
    opener: usize,
    object: Object,
}

pub struct Descriptors {
    /// What the variables of the program hold.
    places: [i32; PLACES],
    open: BTreeMap<i32, Open>,
    /// Who opened it, and who closed it, of numbers that are not open.
    closed: BTreeMap<i32, (usize, usize)>,
    /// Closed sockets whose numbers are not given out.
    kept: BTreeSet<i32>,
}

impl Default for Descriptors {
    fn default() -> Self {
        Self { places: [-1; PLACES], open: BTreeMap::new(), closed: BTreeMap::new(), kept: BTreeSet::new() }
    }
}

impl Descriptors {
    fn opens(&mut self, from: i32, opener: usize, object: Object) -> i32 {
        let free = |fd: &i32| !self.open.contains_key(fd) && !self.kept.contains(fd);
        let fd = (from..).find(free).unwrap_or(-1);
        self.puts(fd, opener, object);
        fd
    }

    fn puts(&mut self, fd: i32, opener: usize, object: Object) {
        self.closed.remove(&fd);
        self.kept.remove(&fd);
        self.open.insert(fd, Open { opener, object });
    }

    /// A call, other than close, on a number that is not open.
    fn misused(&self, fd: i32, play: &mut Play<'_>) -> (i64, i32) {
        match self.closed.get(&fd) {
            Some((opener, closer)) => {
                let stacks = [("here", play.at), ("closed", *closer), ("opened", *opener)];
                play.finds("fd.use-after-close", "error", &stacks);
            }
            None => play.finds("fd.bad-fd", "info", &[("here", play.at)]),
        }
        EBADF
    }

    pub fn play(&mut self, play: &mut Play<'_>) -> (i64, i32) {
        let (a, b, at) = (play.step.a, play.step.b, play.at);
        let fd = self.places[a];
        let open = self.open.get(&fd).copied();
        match play.step.what {
            'N' => {
                self.places[a] = self.opens(3, at, Object::Null);
                (i64::from(self.places[a]), 0)
            }
            'S' => {
                self.places[a] = self.opens(3, at, Object::Socket);
                (i64::from(self.places[a]), 0)
            }
            'P' => {
                self.places[a] = self.opens(3, at, Object::Pipe);
                self.places[b] = self.opens(3, at, Object::Pipe);
                (0, 0)
            }
            'c' => match open {
                Some(open) => {
                    self.open.remove(&fd);
                    self.closed.insert(fd, (open.opener, at));
                    if play.mode.keeps_sockets && open.object == Object::Socket {
                        self.kept.insert(fd);
                    }
                    (0, 0)
                }
                None => match self.closed.get(&fd) {
                    Some((opener, closer)) => {
                        let stacks = [("here", at), ("closed", *closer), ("opened", *opener)];
                        play.finds("fd.double-close", "error", &stacks);
                        EBADF
                    }
                    None => self.misused(fd, play),
                },
            },
            'd' | 'D' => match open {
                Some(open) => {
                    let from = if play.step.what == 'd' { 0 } else { 20 };
                    self.places[b] = self.opens(from.max(3), at, open.object);
                    (i64::from(self.places[b]), 0)
                }
                None => {
                    let answer = self.misused(fd, play);
                    self.places[b] = -1;
                    answer
                }
            },
            '2' => match (open, self.places[b]) {
                // A test whether the number is open.
                (open, to) if to == fd => open.map_or(EBADF, |_| (i64::from(to), 0)),
                (None, _) => self.misused(fd, play),
                (_, -1) => EBADF,
                (Some(open), to) => {
                    self.puts(to, at, open.object);
                    (i64::from(to), 0)
                }
            },
            's' => match open {
                Some(Open { object: Object::Null, .. }) => (0, 0),
                Some(_) => (-1, libc::ESPIPE),
                None => self.misused(fd, play),
            },
            // A look whether it is open.
            _ => open.map_or(EBADF, |_| (0, 0)),
        }
    }

    /// What is open at the end, by who opened it.
    pub fn end(&self, findings: &mut Vec<Found>) {
        let mut counts = BTreeMap::new();
        for open in self.open.values() {
            *counts.entry(open.opener).or_insert(0) += 1;
        }
        for (opener, count) in counts {
            found(findings, "fd.leak", "info", count, &[("opened", opener)]);
        }
    }
}
