//! Tiers that are full, and machines that have not what a rule file asks for: one line, and the program runs.

use crate::machine::{self, block, fill, spoilt, start};
use tier::memory::Obtained;
use tier::spec::{Full, Kind, NumaPolicy, PageSize, TierSpec};

fn spec(name: &str, kind: Kind, capacity: u64, full: Full) -> TierSpec {
    TierSpec { capacity: Some(capacity), full, ..TierSpec::new(name, kind) }
}

/// Fills a tier with blocks of a size; how many bytes it took.
fn fill_up(memory: &tier::memory::Memory, size: usize) -> (u64, Vec<core::ptr::NonNull<u8>>) {
    let mut blocks = Vec::new();
    while let Some(one) = block(memory, 1, size, 16, false) {
        fill(one, size, blocks.len() as u64);
        blocks.push(one);
        assert!(blocks.len() < 10_000_000);
    }
    (blocks.len() as u64 * size as u64, blocks)
}

/// The ceiling holds to the byte, and most of what is below it can be used; what is freed can be had again.
#[test]
fn hold_what_they_promise() {
    for kind in [machine::numa(), machine::thp(), Kind::Memfd { page: None }, machine::directory()] {
        for (capacity, size, least) in [
            (16 << 20, 1 << 20, 0.99),
            (16 << 20, 1000, 0.85),
            (70 << 20, 2 << 20, 0.97),
            (70 << 20, 900, 0.8),
            (33_000_000, 100_000, 0.6),
        ] {
            let memory = machine::tiers(std::slice::from_ref(&kind), capacity);
            let (bytes, blocks) = fill_up(&memory, size);
            let facts = memory.facts(1).unwrap();
            assert!(facts.committed <= capacity, "{kind:?}: {facts:?}");
            assert!(bytes as f64 >= least * capacity as f64, "{kind:?}, {size}: {bytes} of {capacity}: {facts:?}");
            assert!(facts.misses > 0);
            for (seed, one) in blocks.iter().enumerate() {
                assert_eq!(spoilt(*one, size, seed as u64, size), None);
                memory.free(*one);
            }
            let (again, blocks) = fill_up(&memory, size);
            assert!(again as f64 >= 0.8 * bytes as f64, "{kind:?}, {size}: {again} after {bytes}");
            blocks.into_iter().for_each(|one| _ = memory.free(one));
        }
    }
}

/// Small blocks get what large ones had, and large ones what small ones had.
#[test]
fn share_their_capacity_between_both_halves() {
    let memory = machine::tiers(&[machine::numa()], 128 << 20);
    let one = block(&memory, 1, 120 << 20, 16, false).unwrap();
    let (little, blocks) = fill_up(&memory, 1000);
    assert!(little < 8 << 20);
    memory.free(one);
    let (much, more) = fill_up(&memory, 1000);
    assert!(much > 90 << 20, "{much}");
    blocks.into_iter().chain(more).for_each(|one| _ = memory.free(one));
    let one = block(&memory, 1, 100 << 20, 16, false).expect("what the small ones had");
    fill(one, 100 << 20, 1);
    memory.free(one);
}

/// Another tier's thread that gives memory back at that moment is no reason to find none.
#[test]
fn share_their_capacity_beside_other_tiers() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let memory = machine::tiers(&[machine::numa()], 32 << 20);
                for round in 0..40 {
                    let (_, blocks) = fill_up(&memory, 20_000);
                    blocks.into_iter().for_each(|one| _ = memory.free(one));
                    let one = block(&memory, 1, 24 << 20, 16, false);
                    memory.free(one.unwrap_or_else(|| panic!("round {round}: what the small ones had")));
                }
                memory.thread_ends();
            });
        }
    });
}

#[test]
fn lead_to_the_next_and_to_the_heap() {
    let (memory, complaints) = start(vec![
        spec("first", machine::numa(), 4 << 20, Full::Next(2)),
        spec("second", Kind::Memfd { page: None }, 4 << 20, Full::Heap),
    ]);
    assert_eq!(complaints, []);
    let mut tiers = Vec::new();
    for _ in 0..12 {
        match memory.allocate(1, 1 << 20, 16, false) {
            Obtained::Block { block, tier, .. } => {
                assert_eq!(memory.owner(block.as_ptr() as usize), Some(tier));
                fill(block, 1 << 20, 1);
                tiers.push(tier);
            }
            Obtained::Heap => tiers.push(0),
            Obtained::Nothing => panic!("it leads to the heap"),
        }
    }
    assert_eq!(tiers, [1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0, 0]);
    assert_eq!((memory.facts(1).unwrap().misses, memory.facts(2).unwrap().misses), (8, 4));
    assert_eq!(memory.allocate(0, 100, 16, false), Obtained::Heap);
    assert_eq!(memory.allocate(77, 100, 16, false), Obtained::Heap);
}

/// The rules forbid it; it must not hang all the same.
#[test]
fn that_lead_in_a_circle_end_at_the_heap() {
    let (memory, _) = start(vec![
        spec("a", machine::numa(), 2 << 20, Full::Next(2)),
        spec("b", machine::numa(), 2 << 20, Full::Next(1)),
        spec("c", Kind::Numa { nodes: vec![999], policy: NumaPolicy::Bind }, 2 << 20, Full::Next(3)),
    ]);
    assert_eq!(memory.allocate(1, 16 << 20, 16, false), Obtained::Heap);
    assert_eq!(memory.allocate(3, 100, 16, false), Obtained::Heap);
}

#[test]
fn that_cannot_be_made_say_why() {
    let there = std::fs::read_to_string("/sys/devices/system/node/has_memory").unwrap_or_else(|_| "0".to_owned());
    let file = |path: &str| Kind::File { path: path.into() };
    let cases = [
        (
            Kind::Numa { nodes: vec![4095], policy: NumaPolicy::Bind },
            format!("node 4095: not there (nodes: {})", there.trim()),
        ),
        (file("/no/such/place"), "/no/such/place: no such file or directory".to_owned()),
        (file("/dev/null"), "/dev/null: not a DAX device; expected a directory, a file or a DAX device".to_owned()),
        (file("/proc"), "/proc: ".to_owned()),
        (file("bad\0path"), "path bad\\x00path: not a path".to_owned()),
    ];
    for (kind, what) in cases {
        let (memory, complaints) = start(vec![spec("fast", kind, 64 << 20, Full::Heap)]);
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        let line = complaints[0].to_string();
        assert!(line.starts_with(&format!("tier \"fast\": {what}")), "{line}");
        assert!(line.ends_with("; its blocks go to the heap"), "{line}");
        assert_eq!(memory.allocate(1, 100, 16, false), Obtained::Heap);
        assert_eq!(memory.facts(1), None);
    }
}

/// Without a pool of huge pages there is no such tier; with one, blocks are in it.
#[test]
fn huge_pages_come_from_their_pool() {
    for kind in [Kind::Huge { page: PageSize::M2 }, Kind::Memfd { page: Some(PageSize::M2) }] {
        let (memory, complaints) = start(vec![spec("huge", kind, 16 << 20, Full::Fail)]);
        let free = std::fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
        let free: u64 = free.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        if free == 0 {
            let line = complaints[0].to_string();
            assert!(line.starts_with("tier \"huge\": no 2 MiB huge page can be had: "), "{line}");
            assert!(line.ends_with("; its allocations fail"), "{line}");
            assert_eq!(memory.allocate(1, 100, 16, false), Obtained::Nothing);
            continue;
        }
        let one = block(&memory, 1, 3 << 20, 16, false).unwrap();
        fill(one, 3 << 20, 1);
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        assert!(maps.contains("anon_hugepage") || maps.contains("KernelPageSize:     2048 kB"));
    }
}

/// A file has one owner: two allocators in it would destroy each other's blocks.
#[test]
fn a_named_file_serves_one_process() {
    let path = std::env::temp_dir().join(format!("tier-file-{}", std::process::id()));
    std::fs::write(&path, vec![7u8; 8 << 20]).unwrap();
    let kind = Kind::File { path: path.clone().into_os_string().into_encoded_bytes() };
    let one = TierSpec { full: Full::Fail, ..TierSpec::new("file", kind.clone()) };
    let (memory, complaints) = start(vec![one.clone()]);
    assert_eq!(complaints, []);
    assert_eq!(memory.facts(1).unwrap().capacity, 8 << 20, "what the file has");
    // Its old content is nobody's.
    let zeros = block(&memory, 1, 4 << 20, 16, true).unwrap();
    assert_eq!(machine::not_zero(zeros, 4 << 20), None);
    let small = block(&memory, 1, 4000, 16, true).unwrap();
    assert_eq!(machine::not_zero(small, 4000), None);
    let (_, complaints) = start(vec![one]);
    assert!(complaints[0].to_string().contains("another process has it"), "{complaints:?}");
    std::fs::remove_file(path).unwrap();
}

/// A file system that others fill: what has been handed out can be written to, and the rest is refused; no SIGBUS. Needs the right
/// to mount; without it nothing is shown here, and `faults.rs` has the same with a kernel that refuses.
#[test]
fn a_file_system_that_others_fill() {
    let place = std::env::temp_dir().join(format!("tier-mount-{}", std::process::id()));
    std::fs::create_dir(&place).unwrap();
    let run = |tool: &str, arguments: &[&std::ffi::OsStr]| {
        std::process::Command::new(tool).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    let options = ["-t", "tmpfs", "-o", "size=24m", "tmpfs"].map(std::ffi::OsStr::new);
    if run("mount", &[&options[..], &[place.as_os_str()]].concat()) {
        let kind = Kind::File { path: place.clone().into_os_string().into_encoded_bytes() };
        let (memory, complaints) = start(vec![TierSpec { full: Full::Fail, ..TierSpec::new("little", kind) }]);
        assert_eq!(complaints, []);
        let first = block(&memory, 1, 4 << 20, 16, false).unwrap();
        std::fs::write(place.join("others"), vec![1; 12 << 20]).unwrap();
        let (bytes, blocks) = fill_up(&memory, 1 << 20);
        fill(first, 4 << 20, 77);
        assert!((4 << 20..=8 << 20).contains(&bytes), "{bytes}: {:?}", memory.facts(1));
        for (seed, one) in blocks.iter().enumerate() {
            assert_eq!(spoilt(*one, 1 << 20, seed as u64, 1 << 20), None);
        }
        // What others give up can be had. Not by removal: a child of another test may have the file open.
        std::fs::OpenOptions::new().write(true).open(place.join("others")).unwrap().set_len(0).unwrap();
        memory.free(blocks[0]);
        assert!(fill_up(&memory, 1 << 20).0 > 10 << 20);
        assert!(run("umount", &["-l".as_ref(), place.as_os_str()]));
    }
    std::fs::remove_dir(place).unwrap();
}
