//! The heap in the page, in a headless Chromium: what it says, its keys, hostile names, its speed.

use crate::page::{CANARY, attribute, body, dom, driven, page};
use crate::profiled::{Program, Row, process};
use crate::sample::{self, party, write};
use record::findings::{self, Block, Lost, Resource};
use record::heap::{self, access, class, family, level, sight};
use record::kind::{Kind, Role};
use record::label::Label;
use record::store::Store;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

const NAMES: [&str; 6] = ["main", "serve", "read_request", "grow", "log_line", "cache_insert"];

const MIB: u64 = 1 << 20;

/// 30 MiB at the peak, of which 10 stay; 2 of those are lost.
const ROWS: [Row; 4] = [
    ("main;serve;read_request;grow", [300, 12 * MIB], [300, 12 * MIB], [0, 0]),
    ("main;serve;cache_insert@8;grow", [100, 8 * MIB], [0, 0], [25, 2 * MIB]),
    ("main;serve;cache_insert@16;grow", [20, 2 * MIB], [0, 0], [0, 0]),
    ("main;log_line", [8000, 8 * MIB], [8000, 8 * MIB], [0, 0]),
];

/// Helpers of the driver scripts: keys on the flame graph, and what is said of it.
const DRIVER: &str = "
    const seen = [];
    const picture = heap.graph.element.firstChild;
    const press = key => picture.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    const on = () => { const { on } = heap.graph.state(); return on.id ? brief(on.frame) : 'all'; };
    const focus = () => { const { focus } = heap.graph.state(); return focus.id ? brief(focus.frame) : 'all'; };
    const pick = text => [...document.querySelectorAll('.choice button')].find(b => b.textContent === text).click();
    // The event comes later by itself.
    const unfold = details => { details.open = true; details.dispatchEvent(new Event('toggle')); };
    const done = () => { document.documentElement.dataset.seen = seen.join('|'); };
";

#[test]
fn the_flame_graph_is_led_by_keys() {
    let program = Program::new("page-heap", &NAMES);
    let memory = process(80, &program, &ROWS, 0);
    let heap = heap::totals(&memory).unwrap();
    heap.looked.store(500_000_001, Relaxed);
    for (class, [blocks, bytes]) in heap.leak_classes.iter().zip([[25, 2 * MIB], [4, 512], [1, 4096], [90, 8 * MIB]]) {
        class[0].store(blocks, Relaxed);
        class[1].store(bytes, Relaxed);
    }
    let page = page(&write(&memory, "page-heap.shim"), "heap.html");
    let script = format!(
        "{DRIVER}
        seen.push(opened, heap.by, on());
        press('ArrowDown'); seen.push(on());
        press('ArrowDown'); press('ArrowDown'); seen.push(on(), heap.graph.element.lastChild.textContent);
        press('Enter'); seen.push(focus());
        press('Escape'); seen.push(focus());
        press('Home'); seen.push(focus());
        pick('At the peak');
        press('ArrowDown'); press('ArrowDown'); press('ArrowDown'); press('ArrowRight'); seen.push(on());
        press('ArrowLeft'); seen.push(on());
        pick('Flame'); press('ArrowDown'); seen.push(on()); press('ArrowUp'); seen.push(on());
        // Two calls of one function are one box, unless each line is wanted.
        pick('Live'); seen.push(heap.graph.state().boxes);
        byId('by-line').click(); seen.push(heap.graph.state().boxes);
        byId('by-line').click();
        pick('Lost'); seen.push(heap.graph.state().on.value === 2 << 20);
        pick('Blocks'); seen.push(heap.graph.state().on.value);
        pick('Bytes'); pick('In all');
        document.body.dispatchEvent(new KeyboardEvent('keydown', {{ key: '/', bubbles: true }}));
        seen.push(document.activeElement === heap.search);
        heap.search.value = 'cache_insert'; heap.search.dispatchEvent(new Event('input'));
        seen.push(heap.search.nextSibling.textContent, heap.listed);
        heap.search.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Escape', bubbles: true }}));
        seen.push(heap.search.value === '' && heap.listed === 4, document.activeElement === picture);
        const calls = () => [...document.querySelectorAll('table.sites tbody summary')].map(s => s.textContent.trim());
        document.querySelectorAll('table.sites th button')[5].click(); seen.push(calls()[0]);
        document.querySelectorAll('table.sites th button')[5].click(); seen.push(calls()[3]);
        const twin = document.querySelector('.twin'); unfold(twin);
        seen.push([...twin.querySelectorAll('tbody button')].map(b => b.textContent).join(' ')); done();
        "
    );
    let Some(dom) = dom(&driven(&page, &script), "") else { return };
    let at = dom.find("data-seen=\"").expect("the script ran to its end") + 11;
    let expected = "heap|live|all|main|cache_insert|cache_insert · 10 MiB in 120 blocks, 100 % · ";
    let seen = &dom[at..at + dom[at..].find('"').unwrap()];
    assert!(seen.starts_with(expected), "{seen}");
    let expected = "cache_insert|serve|all|cache_insert|read_request|serve|read_request|5|7|true|25|true|\
        1 call matches: 33.3 %|2|true|true|log_line  ← main|log_line  ← main|main serve read_request grow cache_insert grow log_line";
    assert_eq!(seen.split('|').skip(6).collect::<Vec<_>>().join("|"), expected);
    let body = body(&dom);
    for text in [
        "10 MiB</b><span>live at the end, in 120 blocks",
        "30 MiB</b><span>at the peak, after 400 ms",
        "2 MiB</b><span>definitely lost, 25 blocks",
        "512 B</b><span>indirectly lost, 4 blocks",
        "8 MiB</b><span>still reachable, 90 blocks",
        "Every block was followed",
        "peak 30 MiB",
        "64 KiB – 128 KiB",
    ] {
        assert!(body.contains(text), "{text}\n{body}");
    }
}

#[test]
fn estimates_say_how_sure_they_are() {
    let program = Program::new("page-heap-sampled", &NAMES);
    // 24, 16, 4 and 2 samples of 512 KiB each, of blocks that are not all small beside that.
    let rows: [Row; 4] = [ROWS[0], ROWS[1], ROWS[2], ("main;log_line", [200, MIB], [0, 0], [0, 0])];
    let page = page(&write(&process(81, &program, &rows, MIB / 2), "page-sampled.shim"), "sampled.html");
    let script = format!(
        "{DRIVER} pick('In all'); seen.push(...[...document.querySelectorAll('table.sites tbody tr')].map(r => r.lastChild.textContent)); done();"
    );
    let Some(dom) = dom(&driven(&page, &script), "") else { return };
    assert!(dom.contains("data-seen=\"±20 %|±23 %|±45 %|~\""), "{}", &dom[..400]);
    assert!(body(&dom).contains("One byte in 512 KiB was sampled"));
}

#[test]
fn hostile_names_of_functions_stay_text() {
    let name = format!("<img src=x onerror={}>", CANARY.replace('\'', "`"));
    let bold = "</script><script>document.documentElement.dataset.canary=1</script>";
    let program = Program::new("page-heap-<b>", &["main", &name, bold]);
    let rows: [Row; 2] = [
        (&format!("main;{name};{bold}"), [3, 3000], [0, 0], [0, 0]),
        (&format!("main;{bold}"), [1, 100], [0, 0], [0, 0]),
    ];
    let page = page(&write(&process(82, &program, &rows, 0), "page-heap-hostile.shim"), "heap-hostile.html");
    let script = format!(
        "{DRIVER} press('ArrowDown'); press('ArrowDown'); seen.push(1);
        showTip(flameTip(heap.graph.state().on), 1, 1);
        document.querySelectorAll('#view-heap details').forEach(unfold);
        done();"
    );
    let Some(dom) = dom(&driven(&page, &script), "") else { return };
    let body = body(&dom);
    assert!(dom.contains("data-seen=\"1\""));
    assert!(!dom.contains("data-canary") && !body.contains("<img") && !body.contains("<script>document"));
    let text = name.replace('<', "&lt;").replace('>', "&gt;");
    // The tip, the line below the picture, its table, and the calls of a stack.
    assert!(body.matches(&text).count() >= 4, "{text}\n{body}");
}

/// As many call stacks as a recording has room for, as deep as they are by default, on one page.
#[test]
fn thirty_thousand_call_stacks_are_there_at_once() {
    let memory = sample::process(83);
    heap::begin(&memory, level::SITES, 1 << 19);
    let heap = heap::totals(&memory).unwrap();
    let module = sample::module(&memory, Path::new("/srv/app"), &[1; 20]);
    for number in 0..30_000u64 {
        // A tree that grows wider inwards: about half of the calls are in no other stack.
        let returns: Vec<u64> =
            (0..32u64).map(|depth| 64 + (depth << 32 | (number >> depth.saturating_sub(16).min(14)) << 4)).collect();
        // The index has little room left in the end.
        let Some(site) = record::sites::of(&memory, sample::stack(&memory, module, &returns)) else { continue };
        site.allocated(heap, 10, 1000 + number % 977, 1);
        heap.changed(10, 1000 + (number % 977) as i64, number + 1);
    }
    let sites = memory.header().sites.load(Relaxed);
    assert!(sites > 29_000, "{sites}");
    let started = std::time::Instant::now();
    let page = page(&write(&memory, "page-heap-many.shim"), "heap-many.html");
    let written = started.elapsed();
    let script = format!(
        "{DRIVER}
        const time = act => {{ const start = performance.now(); act(); return Math.round(performance.now() - start); }};
        const times = [time(() => pick('In all')), time(() => heap.graph.search('0x1')), time(() => press('ArrowDown')), time(() => press('Enter')), time(() => heap.graph.rows(100))];
        seen.push(Math.max(...times)); console.log(times.join(' '));
        document.documentElement.dataset.times = times.join(' ');
        document.documentElement.dataset.boxes = heap.graph.state().boxes;
        done();"
    );
    let Some(dom) = dom(&driven(&page, &script), "") else { return };
    let length = std::fs::metadata(&page).unwrap().len();
    let (rendered, slowest, boxes) =
        (attribute(&dom, "data-rendered"), attribute(&dom, "data-seen"), attribute(&dom, "data-boxes"));
    eprintln!(
        "{length} bytes, written in {written:?}, there in {rendered} ms, slowest act {slowest} ms, {boxes} boxes"
    );
    // A bound on what cannot be waited for, on a machine that does other work; not a measurement.
    assert!(rendered < 15_000 && slowest < 10_000, "{rendered} ms, {slowest} ms");
    assert!((50..60_000).contains(&boxes), "{boxes}");
    assert!(length < 40_000_000, "{length}");
}

#[test]
fn findings_about_blocks_show_memory() {
    let memory = sample::process(84);
    let module = sample::module(&memory, Path::new("/srv/app"), &[1; 20]);
    let [here, allocated] = [16u64, 32].map(|at| sample::stack(&memory, module, &[at]));
    let mut report =
        sample::double_close(&[party(Role::Here, 5, b"io", here), party(Role::Allocated, 5, b"io", allocated)], 1);
    report.kind = Kind::HeapOverflow;
    report.label = Label::NONE;
    let mut shown = [0xcb; findings::SHOWN_BYTES];
    shown[..10].copy_from_slice(b"GET /<b>\0A");
    report.resource = Resource::Block(Block {
        address: 0x5580_1230,
        size: 40,
        offset: 41,
        allocated: family::MALLOC,
        access: access::WRITE,
        sight: sight::CANARY,
        shown_at: 32,
        shown_len: 20,
        shown,
        ..Block::default()
    });
    findings::file(&memory, &report);
    report.kind = Kind::HeapLeak;
    report.parties = sample::double_close(&[party(Role::Allocated, 5, b"io", allocated)], 1).parties;
    report.resource = Resource::Lost(Lost {
        class: class::DEFINITE,
        blocks: 12,
        bytes: 480,
        indirect_blocks: 3,
        indirect_bytes: 96,
        example: 0x77,
        ..Lost::default()
    });
    findings::file(&memory, &report);
    let page = page(&write(&memory, "page-block.shim"), "block.html");
    let Some(first) = dom(&page, "#finding-1") else { return };
    let text = body(&first);
    let row = &text[text.find("class=\"memory mono\"").unwrap()..];
    assert!(row.contains("<span class=\" own\" title=\"+32\">47</span>"), "{row}");
    assert!(
        row.contains("<span class=\" out\" title=\"+40\">00</span> <span class=\"wrong out\" title=\"+41\">41</span>"),
        "{row}"
    );
    assert!(row.contains("+41: the first wrong byte") && row.contains("<span class=\"at\">+48</span>"), "{row}");
    for text in ["0x55801230", "40 bytes", "malloc", "in its redzone"] {
        assert!(body(&first).contains(&format!("<b>{text}</b>")), "{text}");
    }
    let second = dom(&page, "#finding-2").unwrap();
    for text in ["definitely lost", "480", "3 blocks, 96 bytes", "0x77"] {
        assert!(body(&second).contains(&format!("<b>{text}</b>")), "{text}\n{}", body(&second));
    }
    // A recording without a heap has no view of one.
    assert!(!first.contains("data-view=\"heap\""));
}

#[test]
fn totals_alone_say_what_to_turn_on() {
    let memory = sample::process(85);
    heap::begin(&memory, level::COUNT, 0);
    heap::totals(&memory).unwrap().changed(7, 7000, 5);
    memory.header().started.store(1, Relaxed);
    let page = page(&write(&memory, "page-count.shim"), "count.html");
    let Some(dom) = dom(&page, "") else { return };
    assert!(body(&dom).contains("Totals only: heap=count") && !body(&dom).contains("<canvas"));
    assert!(body(&dom).contains("6.84 KiB</b><span>live at the end, in 7 blocks"));
}
