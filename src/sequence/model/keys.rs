//! Thread-specific keys: libc gives the lowest number that is free. What a variable means whose number was given out again is
//! nothing that one module can be judged by; such steps are left out.

use super::Play;
use crate::steps::PLACES;
use std::collections::BTreeSet;

#[derive(Clone, Copy, Default)]
enum Key {
    #[default]
    Never,
    Live {
        number: usize,
        by: usize,
        value: i64,
    },
    Deleted {
        number: usize,
        created: usize,
        by: usize,
    },
    /// Deleted, and the number is another's.
    Reused,
}

#[derive(Default)]
pub struct Keys {
    places: [Key; PLACES],
    taken: BTreeSet<usize>,
}

impl Keys {
    pub fn play(&mut self, play: &mut Play<'_>) -> (i64, i32) {
        let (a, at, what) = (play.step.a, play.at, play.step.what);
        let refused = if what == 'G' { (0, 0) } else { (i64::from(libc::EINVAL), 0) };
        match (what, self.places[a]) {
            ('K', Key::Live { .. }) => play.skip(),
            ('K', _) => {
                let number = (0..).find(|number| !self.taken.contains(number)).unwrap_or(0);
                self.taken.insert(number);
                for key in &mut self.places {
                    if matches!(key, Key::Deleted { number: old, .. } if *old == number) {
                        *key = Key::Reused;
                    }
                }
                self.places[a] = Key::Live { number, by: at, value: 0 };
                (0, 0)
            }
            (_, Key::Never) => {
                play.finds("key.never-created", "error", &[("here", at)]);
                refused
            }
            (_, Key::Deleted { created, by, .. }) => {
                play.finds("key.deleted", "error", &[("here", at), ("deleted", by), ("created", created)]);
                refused
            }
            ('X', Key::Live { number, by, .. }) => {
                self.taken.remove(&number);
                self.places[a] = Key::Deleted { number, created: by, by: at };
                (0, 0)
            }
            ('T', Key::Live { number, by, .. }) => {
                self.places[a] = Key::Live { number, by, value: play.step.b as i64 + 1 };
                (0, 0)
            }
            (_, Key::Live { value, .. }) => (value, 0),
            (_, Key::Reused) => play.skip(),
        }
    }
}
