//! Mutexes and rwlocks of one thread, as glibc makes them: what they answer, what shim says, and what the thread makes of a
//! call that failed (docs/locks.md, `shim explain lock.ignored`).

use super::Play;
use crate::steps::PLACES;

const EDEADLK: (i64, i32) = (libc::EDEADLK as i64, 0);
const EBUSY: (i64, i32) = (libc::EBUSY as i64, 0);

/// As program.c makes them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    ErrorCheck,
    Recursive,
}

const KINDS: [Kind; PLACES] = [
    Kind::Normal,
    Kind::Normal,
    Kind::ErrorCheck,
    Kind::ErrorCheck,
    Kind::Recursive,
    Kind::Recursive,
    Kind::Normal,
    Kind::ErrorCheck,
];

/// A call that failed, and where the thread let go afterwards what it had before.
#[derive(Clone, Copy)]
struct Failure {
    by: usize,
    let_go: Option<usize>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Life {
    /// Not yet, or nothing that is documented.
    #[default]
    None,
    Made(usize),
    Destroyed {
        made: usize,
        by: usize,
    },
}

#[derive(Clone, Copy, Default)]
struct Mutex {
    life: Life,
    /// Who took it, and how often.
    held: Option<(usize, u32)>,
    /// What glibc counts in a mutex: a lock more, an unlock less.
    users: u32,
    failure: Option<Failure>,
}

#[derive(Clone, Default)]
struct RwLock {
    is_made: bool,
    readers: Vec<usize>,
    writer: Option<usize>,
    failure: Option<Failure>,
}

#[derive(Default)]
pub struct Locks {
    mutexes: [Mutex; PLACES],
    rwlocks: [RwLock; PLACES],
}

/// The thread has the lock after all, or makes it anew: it has looked, unless it let go meanwhile what it had.
fn settle(failure: &mut Option<Failure>, play: &mut Play<'_>) {
    if let Some(Failure { by, let_go: Some(let_go) }) = failure.take() {
        play.finds("lock.ignored", "suspect", &[("here", by), ("victim", let_go)]);
    }
}

fn lets_go(failure: &mut Option<Failure>, at: usize) {
    if let Some(failure) = failure {
        failure.let_go.get_or_insert(at);
    }
}

impl Locks {
    pub fn play(&mut self, play: &mut Play<'_>) -> (i64, i32) {
        let a = play.step.a;
        match play.step.what {
            'I' | 'L' | 't' | 'U' | 'Z' => self.mutexes[a].play(KINDS[a], play),
            _ => self.rwlocks[a].play(play),
        }
    }
}

impl Mutex {
    fn play(&mut self, kind: Kind, play: &mut Play<'_>) -> (i64, i32) {
        let at = play.at;
        match (play.step.what, self.life, self.held) {
            ('I', _, Some(_)) => play.skip(),
            ('I', ..) => {
                settle(&mut self.failure, play);
                *self = Self { life: Life::Made(at), ..Self::default() };
                (0, 0)
            }
            ('L', Life::Destroyed { made, by }, _) => {
                play.finds("lock.destroyed", "error", &[("here", at), ("deleted", by), ("created", made)]);
                self.life = Life::None;
                self.failure = Some(Failure { by: at, let_go: None });
                (i64::from(libc::EINVAL), 0)
            }
            (_, Life::None | Life::Destroyed { .. }, _) => play.skip(),
            ('L' | 't', Life::Made(_), None) => {
                self.held = Some((at, 1));
                self.users = self.users.wrapping_add(1);
                settle(&mut self.failure, play);
                (0, 0)
            }
            ('L' | 't', Life::Made(_), Some((by, count))) if kind == Kind::Recursive => {
                self.held = Some((by, count + 1));
                (0, 0)
            }
            ('t', Life::Made(_), Some(_)) => EBUSY,
            ('L', Life::Made(_), Some(_)) => {
                if kind == Kind::ErrorCheck {
                    play.finds("lock.failed", "error", &[("here", at), ("locked", usize::MAX)]);
                } else if play.mode.refuses_locks {
                    play.finds("lock.self-deadlock", "error", &[("here", at), ("locked", usize::MAX)]);
                } else {
                    return play.skip();
                }
                self.failure = Some(Failure { by: at, let_go: None });
                EDEADLK
            }
            ('U', Life::Made(_), Some((by, count))) => {
                self.held = (count > 1).then_some((by, count - 1));
                if self.held.is_none() {
                    self.users = self.users.wrapping_sub(1);
                }
                lets_go(&mut self.failure, at);
                (0, 0)
            }
            ('U', Life::Made(_), None) => {
                match self.failure.take() {
                    Some(failure) => play.finds("lock.ignored", "error", &[("here", failure.by), ("victim", at)]),
                    None => play.finds("lock.not-locked", "error", &[("here", at)]),
                }
                if kind == Kind::Normal {
                    self.users = self.users.wrapping_sub(1);
                    return (0, 0);
                }
                (i64::from(libc::EPERM), 0)
            }
            ('Z', Life::Made(made), None) => {
                if self.users != 0 {
                    play.finds("lock.failed", "error", &[("here", at)]);
                    return EBUSY;
                }
                self.life = Life::Destroyed { made, by: at };
                (0, 0)
            }
            _ => play.skip(),
        }
    }
}

impl RwLock {
    fn play(&mut self, play: &mut Play<'_>) -> (i64, i32) {
        let at = play.at;
        let holder = self.writer.or(self.readers.first().copied());
        match (play.step.what, self.is_made, holder) {
            ('J', _, None) => {
                settle(&mut self.failure, play);
                *self = Self { is_made: true, ..Self::default() };
                (0, 0)
            }
            ('R', true, _) if self.writer.is_none() => {
                self.readers.push(at);
                settle(&mut self.failure, play);
                (0, 0)
            }
            ('W', true, None) => {
                self.writer = Some(at);
                settle(&mut self.failure, play);
                (0, 0)
            }
            ('R' | 'W', true, Some(_)) => {
                if self.writer.is_some() {
                    play.finds("lock.failed", "error", &[("here", at), ("locked", usize::MAX)]);
                } else if play.mode.refuses_locks {
                    play.finds("lock.upgrade", "error", &[("here", at), ("locked", usize::MAX)]);
                } else {
                    return play.skip();
                }
                self.failure = Some(Failure { by: at, let_go: None });
                EDEADLK
            }
            ('V', true, Some(_)) => {
                if self.writer.take().is_none() {
                    self.readers.pop();
                }
                lets_go(&mut self.failure, at);
                (0, 0)
            }
            ('Q', true, None) => {
                self.is_made = false;
                (0, 0)
            }
            _ => play.skip(),
        }
    }
}
