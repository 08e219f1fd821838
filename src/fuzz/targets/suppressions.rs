//! A suppressions file. Claims: each bad line is told in one line; a glob of a kind matches what a naive matcher does.

use record::suppressions::{Mark, fingerprint, parse};
use record::text::Line;

const KINDS: [&str; 4] = ["fd.double-close", "heap.leak", "lock.order", "key.never-created"];
const FRAMES: [(&[u8], &[u8], &[u8]); 3] = [
    (b"finish_request", b"/opt/vendor code/libvendor.so.1", b"src/conn.c"),
    (b"_ZN5solver4stepEi", b"/srv/app", b"/srv/src/solver.cc"),
    (b"", b"/usr/lib/libc.so.6", b""),
];

pub fn run(input: &[u8]) {
    let mark = fingerprint(input);
    for (index, line) in parse(input).enumerate() {
        match line {
            Ok(good) => {
                for kind in KINDS {
                    let bare = !good.text.contains(&b'"') && !good.text.contains(&b'#');
                    if bare && !good.wants_frame() {
                        assert_eq!(good.matches_kind(kind), matches(good.text, kind.as_bytes()), "{kind}");
                    }
                    std::hint::black_box(good.matches_kind(kind));
                }
                for (function, module, file) in FRAMES {
                    let whole = good.matches_frame(Some(module), [Some(file), None], || [Some(function), None]);
                    assert!(!whole || good.matches_module(Some(module)));
                }
                assert_eq!(Mark::new(mark, index).index(), Some(index));
            }
            Err((number, problem)) => {
                assert!(number > 0);
                let mut buffer = [0; 512];
                let mut line = Line::new(&mut buffer);
                problem.write(&mut line);
                let line = String::from_utf8(line.as_bytes().to_vec());
                super::assert_one_line(&line.unwrap_or_default());
            }
        }
    }
}

/// What a glob means.
fn matches(glob: &[u8], text: &[u8]) -> bool {
    // Row by row: does the glob so far match the text so far?
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for unit in glob {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = match unit {
                b'*' => row[at] || at > 0 && next[at - 1],
                b'?' => at > 0 && row[at - 1],
                byte => at > 0 && row[at - 1] && text[at - 1] == *byte,
            };
        }
        row = next;
    }
    row[text.len()]
}
