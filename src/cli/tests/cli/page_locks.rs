//! Locks and keys in the page, in a headless Chromium: the tables, the picture of the order, its keys, hostile names, its speed.

use crate::page::{CANARY, attribute, body, dom, driven, page};
use crate::profiled::Program;
use crate::sample::{self, write};
use record::layout::{CHUNK_LEN, CHUNKS_AT, KEY_LEN, Section, Thread};
use record::lock::{Edge, edge_ended, edge_seen, entry_of, kind, mode, write_edge};
use record::memory::Memory;
use record::store::{Store, entry_or_commit};
use record::{stacks, text};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use track::actor::{Party, StackId, Tid};
use track::key::{Slot, Whose};
use track::lock::{Kind, Mode, What};

const NAMES: [&str; 6] = ["main", "serve", "load_table", "store_row", "write_journal", "plugin_begin"];

/// Helpers of the driver scripts: keys on the picture, and what is said of it.
const DRIVER: &str = "
    const seen = [];
    const press = key => locks.graph.element.firstChild.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    const title = thing => thing.lock !== undefined ? l().locks[thing.lock].name : l().orders[thing.order].slice(0, 2).map(i => l().locks[i].name).join('→');
    const l = () => locks.seen.locks;
    const on = () => { const { on } = locks.graph.state(); return on ? title(on) : '-'; };
    const rows = label => [...document.querySelectorAll(`table[aria-label='${label}'] tbody tr:not(.behind)`)].map(r => [...r.cells].map(c => c.textContent).join(','));
    const done = () => { document.documentElement.dataset.seen = seen.join('|'); };
";

/// The document after the script, which has names of its own.
fn drive(page: &Path, script: &str) -> Option<String> {
    dom(&driven(page, &format!("{{{DRIVER}{script}}}")), "")
}

fn seen(dom: &str) -> &str {
    let at = dom.find("data-seen=\"").expect("the script ran to its end") + 11;
    &dom[at..at + dom[at..].find('"').unwrap()]
}

/// A lock of the program, or anywhere.
struct At(u64, u32);

impl At {
    fn variable(memory: &Memory, module: usize, program: &Program, variable: &str) -> Self {
        let address = program.variable(variable);
        Self(address, sample::stack(memory, module, &[address + 1]))
    }

    fn heap(address: u64) -> Self {
        Self(address, 0)
    }

    fn before(&self, other: &Self) -> Edge {
        let how = (kind::MUTEX, mode::EXCLUSIVE);
        Edge { from: self.0, to: other.0, held: how, taken: how, places: [self.1, other.1], tid: 12, ..Edge::default() }
    }
}

/// `table` and `row` in both orders; `journal` before them; one lock that is no more. Two of the four were measured.
fn process(pid: u32, program: &Program, [table, row, journal]: [&str; 3]) -> Memory {
    let memory = sample::process(pid);
    let module = program.module(&memory);
    let stack = |calls: &str| program.stack(&memory, module, calls);
    let of = |variable: &str| At::variable(&memory, module, program, variable);
    let (table, row, journal, gone) = (of(table), of(row), of(journal), At::heap(0x9000));
    let (load, store) = (stack("main;serve;load_table"), stack("main;serve;store_row"));
    let (entry, _) = entry_of(&memory, table.0).unwrap();
    entry.made(kind::MUTEX, table.1, stack("main"));
    for tid in 1..=4 {
        entry.taken(tid, true, (tid > 3).then_some(250_000_000), load);
        entry.let_go(true, 5_000_000, load);
    }
    let (entry, _) = entry_of(&memory, journal.0).unwrap();
    entry.made(kind::RWLOCK, journal.1, stack("main;write_journal"));
    for _ in 0..7 {
        entry.taken(7, false, None, 0);
        entry.let_go(false, 2_000_000_000, store);
    }
    write_edge(&memory, 0, &Edge { stacks: [load, store], ..table.before(&row) });
    (0..39).for_each(|_| edge_seen(&memory, 0));
    write_edge(&memory, 1, &Edge { stacks: [store, load], tid: 13, ..row.before(&table) });
    write_edge(&memory, 2, &Edge { held: (kind::RWLOCK, mode::READ), ..journal.before(&table) });
    write_edge(&memory, 3, &table.before(&gone));
    edge_ended(&memory, 3);
    memory
}

#[test]
fn the_order_of_locks_is_drawn_and_led_by_keys() {
    let program = Program::with_variables("page-locks", &NAMES, &["table", "row", "journal"]);
    let memory = process(90, &program, ["table", "row", "journal"]);
    let page = page(&write(&memory, "page-locks.shim"), "locks.html");
    let script = "seen.push(opened, document.querySelector('[data-view=locks]').textContent);
        const { nodes, edges, rings } = locks.graph.state(); seen.push(nodes, edges, rings);
        const style = one => getComputedStyle(document.querySelector(one));
        seen.push(...['.order-graph .edge.ring .way', '.order-graph .edge:not(.ring):not(.ended) .way', '.order-graph .node.ring rect', '.order-graph .node:not(.ring) rect'].map(one => style(one).strokeWidth));
        seen.push(style('.order-graph .edge.ring .way').stroke !== style('.order-graph .edge:not(.ring) .way').stroke, style('.edge.ended .way').strokeDasharray !== 'none');
        seen.push([...document.querySelectorAll('.order-graph .node.ring .mono')].map(t => t.textContent).sort().join(' '));
        for (const key of ['Home', 'ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowDown', 'ArrowDown', 'ArrowRight', 'ArrowLeft', 'ArrowLeft']) { press(key); seen.push(on()); }
        seen.push(document.querySelectorAll('.order-graph .near').length, document.querySelector('.order-graph').nextSibling.textContent);
        press('Escape'); seen.push(on(), document.querySelectorAll('.order-graph .near').length);
        // Pointing shows, a click holds.
        const arrow = byId('order-1');
        arrow.dispatchEvent(new PointerEvent('pointerenter')); seen.push(on());
        arrow.dispatchEvent(new PointerEvent('pointerleave')); seen.push(on());
        arrow.dispatchEvent(new MouseEvent('click', { bubbles: true })); arrow.dispatchEvent(new PointerEvent('pointerleave')); seen.push(on());
        const panel = document.querySelector('.order-detail');
        seen.push(panel.querySelector('h3').textContent, [...panel.querySelectorAll('.stack')].map(s => s.querySelector('.fn').textContent).join(' '));
        // From there on through the panel, as a keyboard would.
        press('ArrowRight'); panel.querySelector('button').click(); seen.push(on(), document.activeElement.className);
        press('Escape'); done();
        ";
    let Some(dom) = drive(&page, script) else { return };
    let expected = "locks|Locks|4|4|2|3.4px|1.4px|2.8px|1.2px|true|true|row table|\
        journal|journal→table|table|table→row|table→0x9000|table→row|row|table→row|table|\
        7|mutex table: taken under 2 others, held while 2 others were taken|-|0|\
        row→table|-|row→table|mutex row → mutex table|store_row load_table|\
        table→row|order-graph";
    assert_eq!(seen(&dom), expected);
    let body = body(&dom);
    assert!(body.contains("Some orders lead back to where they began."), "{body}");
    assert!(
        body.contains("2 locks were not measured.") && body.contains("rwlock ") && body.contains(" (read)"),
        "{body}"
    );
}

#[test]
fn the_tables_are_sorted_searched_and_opened() {
    let program = Program::with_variables("page-lock-tables", &NAMES, &["table", "row", "journal"]);
    let memory = process(91, &program, ["table", "row", "journal"]);
    let page = page(&write(&memory, "page-lock-tables.shim"), "lock-tables.html");
    let module = program.path.display().to_string();
    let script = "const short = text => text.replaceAll(' (MODULE)', '');
        seen.push(...rows('Locks').map(short), '');
        seen.push(...rows('Orders of locks').map(short), '');
        const head = (table, title) => [...document.querySelectorAll(`table[aria-label='${table}'] th button`)].find(b => b.textContent === title);
        const first = table => short(rows(table)[0]).split(',')[0];
        for (const title of ['Held', 'Longest wait', 'Taken', 'Taken', 'Lock', 'Share']) { head('Locks', title).click(); seen.push(first('Locks'), head('Locks', title).parentNode.getAttribute('aria-sort')); }
        // Unknown is last, whichever way.
        head('Locks', 'Held').click(); head('Locks', 'Held').click(); seen.push(short(rows('Locks')[3]).split(',')[5]);
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '/', bubbles: true }));
        seen.push(document.activeElement === locks.search);
        locks.search.value = 'journal'; locks.search.dispatchEvent(new Event('input'));
        seen.push(locks.search.nextSibling.textContent);
        locks.search.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
        seen.push(locks.search.value === '' && rows('Locks').length === 4, document.activeElement.className);
        const button = [...document.querySelectorAll('table.locks .unfold')].find(b => b.textContent.startsWith('table'));
        button.click(); seen.push(button.getAttribute('aria-expanded'));
        const behind = button.closest('tr').nextSibling;
        seen.push([...behind.querySelectorAll('.stack')].map(s => s.querySelector('h3').textContent + ': ' + s.querySelector('.fn').textContent).join('; '));
        button.click(); seen.push(behind.hidden); done();
        ";
    let Some(dom) = drive(&page, &script.replace("MODULE", &module)) else { return };
    let expected = [
        "tablein a ring,mutex,4,1,25.0 %,250 ms,250 ms,20 ms,5 ms,5 ms",
        "journal,rwlock,7,–,–,–,–,14 s,2 s,2 s",
        "rowin a ring,mutex,,,,,,,,",
        "0x9000,mutex,,,,,,,,",
        "",
        "mutex table,mutex row,40,store_row,in a ring",
        "mutex row,mutex table,1,load_table,in a ring",
        "rwlock journal (read),mutex table,1,no stack,",
        "mutex table,mutex 0x9000,1,no stack,ended",
        "",
        "journal|descending|tablein a ring|descending|journal|descending|tablein a ring|ascending|0x9000|ascending|tablein a ring|descending",
        "",
        "true",
        "1 of 4 locks, 1 of 4 orders",
        "true|order-graph",
        "true",
        "Made, or first taken : main; Held longest for 5 ms: load_table; Waited for longest for 250 ms: load_table",
        "true",
    ];
    assert_eq!(seen(&dom), expected.join("|"));
}

#[test]
fn hostile_names_of_locks_and_threads_stay_text() {
    let image = format!("<img src=x onerror={}>", CANARY.replace('\'', "`"));
    let script = "</script><script>document.documentElement.dataset.canary=1</script>";
    let program = Program::with_variables("page-locks-<b>", &NAMES, &[&image, script, "journal<i>"]);
    let memory = process(92, &program, [&image, script, "journal<i>"]);
    hang(&memory, [b"<u>one</u>", b"</script>"], [program.variable(&image), program.variable(script)], 0);
    let page = page(&write(&memory, "page-locks-hostile.shim"), "locks-hostile.html");
    let script = "document.querySelectorAll('.unfold').forEach(b => b.click());
        press('Home'); press('ArrowRight'); press('ArrowRight'); seen.push(1); done();";
    let Some(dom) = drive(&page, script) else { return };
    let body = body(&dom);
    assert_eq!(seen(&dom), "1");
    assert!(!dom.contains("data-canary"));
    for tag in ["<img", "<script>document", "<i>", "<u>"] {
        assert!(!body.replace("<i class=", "").contains(tag), "{tag}\n{body}");
    }
    let escaped = |text: &str| text.replace('<', "&lt;").replace('>', "&gt;");
    // The deadlock, both tables, the panel, the line below the picture.
    assert!(body.matches(&escaped(&image)).count() >= 5, "{body}");
    assert!(body.contains(&escaped("<u>one</u>")) && body.contains("&lt;/script&gt;”"), "{body}");
}

/// Two threads that wait for what the other has; begun 3 s before the last event.
fn hang(memory: &Memory, threads: [&[u8]; 2], locks: [u64; 2], stack: u32) {
    let what = |kind| What::new(kind, Mode::Exclusive, 0, 0).0;
    for (i, thread) in threads.into_iter().enumerate() {
        let entry = entry_or_commit::<Thread>(memory, i).unwrap();
        entry.tid.store(21 + i as u32, Relaxed);
        text::store(&entry.name, thread);
        entry.state.store(1, Relaxed);
        let hold = &entry.holds[0];
        hold.lock.store(locks[i], Relaxed);
        hold.what.store(u64::from(what(Kind::Mutex)) | u64::from(stack) << 32, Relaxed);
        entry.waits_what.store(u64::from(what(Kind::Mutex)) | u64::from(stack) << 32, Relaxed);
        entry.waits_since.store(5_000_000_000 - 1_000_000_000 * i as u64, Relaxed);
        entry.waits_for.store(locks[1 - i], Relaxed);
    }
}

#[test]
fn a_deadlock_comes_first() {
    let program = Program::with_variables("page-hang", &NAMES, &["table", "row", "journal"]);
    let memory = process(93, &program, ["table", "row", "journal"]);
    let module = program.module(&memory);
    let stack = program.stack(&memory, module, "main;serve;store_row");
    hang(&memory, [b"writer", b"reader"], ["table", "row"].map(|variable| program.variable(variable)), stack);
    let recording = write(&memory, "page-hang.shim");
    let page = page(&recording, "hang.html");
    let Some(dom) = dom(&page, "") else { return };
    let body = body(&dom);
    let view = &body[body.find("id=\"view-locks\"").unwrap()..];
    let first = &view[view.find("class=\"card").unwrap()..];
    assert!(first.starts_with("class=\"card dead\""), "{first}");
    let first = &first[..first.find("</section>").unwrap()];
    for words in [
        "Deadlock: 2 threads wait for each other",
        "thread 21 “writer” waits for mutex ",
        ">row</span>",
        ", which thread 22 “reader” has",
        "thread 22 “reader” waits for mutex ",
        " for 1 s, which thread 21 “writer” has",
    ] {
        assert!(first.contains(words), "{words}\n{first}");
    }
    assert_eq!(first.matches(">store_row<").count(), 4, "{first}");
    assert!(body.contains(">2</b><span>threads in a deadlock"), "{body}");
    // The text says the same, and a process that ended by itself was in none.
    let told =
        |path: &Path| crate::installed::parts(&crate::installed::output(&["report".as_ref(), path.as_os_str()])).0;
    assert!(
        told(&recording).contains("deadlock: 2 threads wait for each other\n  thread 21 \"writer\" waits for mutex 0x")
    );
    memory.header().state.store(record::layout::state::EXITED, Relaxed);
    let ended = write(&memory, "page-hung-no-more.shim");
    assert!(!told(&ended).contains("deadlock"));
    let page = self::page(&ended, "hung-no-more.html");
    assert!(!crate::page::body(&self::dom(&page, "").unwrap()).contains("Deadlock"));
}

/// The recording, with this in its table of keys, which it has room for at the beginning.
fn with_keys(memory: &Memory, keys: &[(usize, Slot)], file: &str) -> PathBuf {
    let path = write(memory, file);
    let mut bytes = std::fs::read(&path).unwrap();
    for (index, slot) in keys {
        let at = CHUNKS_AT + index * KEY_LEN;
        let words: Vec<u8> = slot.words().iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes[at..at + KEY_LEN].copy_from_slice(&words);
    }
    assert!(bytes.len() > CHUNKS_AT + CHUNK_LEN - 1);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn keys_have_a_table() {
    let program = Program::with_variables("page-keys-of-threads", &NAMES, &["plugin_key"]);
    let memory = sample::process(94);
    memory.commit(Section::Keys, 0).unwrap();
    let module = program.module(&memory);
    let stack = program.stack(&memory, module, "main;plugin_begin");
    let by = Party { tid: Tid(31), stack: StackId(stack) };
    let (live, own) = (Slot::new(), Slot::new());
    live.created(program.variable("plugin_key"), 0, by, Whose::Program);
    own.created(0, 0, Party::ABSENT, Whose::Own);
    let path = with_keys(&memory, &[(0, own), (3, live)], "page-keys-of-threads.shim");
    let page = page(&path, "keys-of-threads.html");
    let script = "seen.push(document.querySelector('[data-view=locks]').textContent, ...rows('Thread-specific keys'));
        const all = document.querySelectorAll('.unfold'); all[0].click();
        seen.push(all.length, document.querySelector('.behind .fn').textContent); done();";
    let Some(dom) = drive(&page, script) else { return };
    let expected = "Keys|0,–,shim’s own,–,–,1|3,plugin_key (app),live,–,plugin_begin thread 31,1|1|plugin_begin";
    assert_eq!(seen(&dom), expected);
    assert!(body(&dom).contains("2 in use"));
}

#[test]
fn without_a_ring_nothing_is_red_and_without_locks_there_is_no_view() {
    let program = Program::with_variables("page-no-ring", &NAMES, &["table", "row"]);
    let memory = sample::process(95);
    let module = program.module(&memory);
    let [table, row] = ["table", "row"].map(|variable| At::variable(&memory, module, &program, variable));
    write_edge(&memory, 0, &table.before(&row));
    write_edge(&memory, 1, &table.before(&At::heap(0x9000)));
    let page = page(&write(&memory, "page-no-ring.shim"), "no-ring.html");
    let script = "seen.push(locks.graph.state().rings, locks.graph.state().edges, document.querySelectorAll('#view-locks .ring, #view-locks .tag.error').length); done();";
    let Some(dom) = drive(&page, script) else { return };
    assert_eq!(seen(&dom), "0|2|0");
    for text in ["No order leads back to where it began.", "lock_times=1 does that"] {
        assert!(body(&dom).contains(text), "{text}\n{}", body(&dom));
    }
    let page = self::page(&sample::CLEAN, "no-locks.html");
    assert!(!self::dom(&page, "").unwrap().contains("data-view=\"locks\""));
}

/// Locks by the hundred: the picture is bounded, rings are in it, and it is there at once.
#[test]
fn five_hundred_locks_and_three_thousand_orders() {
    let memory = sample::process(96);
    let lock = |i: u64| At::heap(0x10_0000 + 64 * i);
    let mut random = 7u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut known = std::collections::HashSet::new();
    let mut order = |from: u64, to: u64, times: u64| {
        if known.insert((from, to)) {
            let at = |n: u64| stacks::intern(&memory, &[n * 16 + 1, n * 16 + 2]);
            let index = known.len() - 1;
            write_edge(&memory, index, &Edge { stacks: [at(from), at(to + 500)], ..lock(from).before(&lock(to)) });
            (0..times).for_each(|_| edge_seen(&memory, index));
        }
        known.len()
    };
    // Two rings of two, one of twelve, among orders that make none.
    for i in 0..12 {
        order(400 + i, 400 + (i + 1) % 12, 0);
    }
    for (a, b) in [(20, 30), (250, 260)] {
        order(a, b, 5);
        order(b, a, 0);
    }
    while order(0, 499, 0) < 3000 {
        let (a, b) = (next(400), next(400));
        if a < b {
            order(a, b, next(200));
        }
    }
    for i in 0..500 {
        let (entry, _) = entry_of(&memory, lock(i).0).unwrap();
        entry.made(kind::MUTEX, 0, 0);
        entry.taken(1, true, Some(i), 0);
    }
    let many = write(&memory, "page-locks-many.shim");
    let script = "const time = act => { const start = performance.now(); act(); return Math.round(performance.now() - start); };
        const { nodes, edges, rings } = locks.graph.state();
        const { left: { locks: left, orders }, implied } = locks.graph;
        seen.push(nodes <= 80, edges <= 240, nodes + left, edges + orders + implied, document.querySelectorAll('table.locks tbody tr').length);
        seen.push(l().orders.filter((o, i) => o[RING] && !byId(`order-${i}`)).length, rings);
        document.documentElement.dataset.slowest = Math.max(time(() => locksOf(lockers[0])), time(() => press('Home')), time(() => press('ArrowRight')), time(() => { locks.search.value = '0x'; filterLocks(); }));
        done();";
    let Some(dom) = drive(&page(&many, "locks-many.html"), script) else { return };
    // All of the small rings, and 50 locks of 500 as rows, each with what is behind it.
    let mut parts: Vec<&str> = seen(&dom).split('|').collect();
    let rings: usize = parts.pop().unwrap().parse().unwrap();
    assert_eq!(parts.join("|"), "true|true|413|3000|100|0");
    assert_eq!(rings, 16);
    let (rendered, slowest) = (attribute(&dom, "data-rendered"), attribute(&dom, "data-slowest"));
    eprintln!("there in {rendered} ms, slowest act {slowest} ms");
    assert!(rendered < 4000 && slowest < 3000, "{rendered} ms, {slowest} ms");
    assert!(body(&dom).contains("Not drawn: "));
}

/// As many orders as a recording has room for, all in one ring of rings: what is drawn of it closes.
#[test]
fn what_is_drawn_of_a_ring_leads_back() {
    let memory = sample::process(97);
    let lock = |i: u64| At::heap(0x10_0000 + 64 * i);
    for i in 0..4096u64 {
        write_edge(&memory, 2 * i as usize, &lock(i).before(&lock((i + 1) % 4096)));
        write_edge(&memory, 2 * i as usize + 1, &lock(i).before(&lock((i * 7 + 3) % 4096)));
    }
    let script = "const start = performance.now(); locksOf(lockers[0]); document.documentElement.dataset.slowest = Math.round(performance.now() - start);
        const drawn = l().orders.filter((o, i) => byId(`order-${i}`));
        // From the end of each to its beginning, along what is drawn.
        const closes = order => {
            const reached = new Set([order[TAKEN]]);
            for (const at of reached) for (const o of drawn) if (o[HELD] === at) reached.add(o[TAKEN]);
            return reached.has(order[HELD]);
        };
        seen.push(drawn.length > 40 && drawn.length <= 240, drawn.every(closes)); done();";
    let Some(dom) = drive(&page(&write(&memory, "page-ring.shim"), "ring.html"), script) else { return };
    assert_eq!(seen(&dom), "true|true");
    let slowest = attribute(&dom, "data-slowest");
    eprintln!("drawn in {slowest} ms");
    assert!(slowest < 6000, "{slowest} ms");
}

/// The layout by itself, of graphs of all sorts.
#[test]
fn boxes_do_not_overlap_and_only_rings_run_back() {
    let program = Program::with_variables("page-layout", &NAMES, &["table", "row", "journal"]);
    let memory = process(98, &program, ["table", "row", "journal"]);
    let page = page(&write(&memory, "page-layout.shim"), "layout.html");
    let script = "let random = 1;
        const next = below => { random = Math.imul(random, 1103515245) + 12345 >>> 0; return (random >>> 8) % below; };
        let [overlaps, backs, forths, outside, apart] = [0, 0, 0, 0, 0];
        for (let round = 0; round < 60; round++) {
            const count = 2 + next(40);
            const acyclic = round % 2 === 0;
            const nodes = Array.from({ length: count }, () => ({ width: 80 + next(120), height: 44 }));
            const edges = Array.from({ length: next(90) }, () => ({ from: next(count), to: next(count), weight: 1 + next(9) })).filter(e => e.from !== e.to)
                .map(e => acyclic && e.from > e.to ? { ...e, from: e.to, to: e.from } : e);
            const laid = layers(nodes, edges);
            laid.nodes.forEach((a, i) => {
                if (!(a.x >= 0 && a.y >= -.01 && a.x + a.width <= laid.width + .01 && a.y + a.height <= laid.height + .01)) outside++;
                laid.nodes.slice(i + 1).forEach(b => { if (a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height) overlaps++; });
            });
            laid.edges.forEach((e, i) => {
                const [from, to] = [laid.nodes[edges[i].from], laid.nodes[edges[i].to]];
                const [first, last] = [e.points[0], e.points[e.points.length - 1]];
                const on = ([x, y], node, right) => Math.abs(x - (right ? node.x + node.width : node.x)) < .01 && y > node.y && y < node.y + node.height;
                if (!on(first, from, !e.back) || !on(last, to, e.back)) apart++;
                if (e.back !== from.layer > to.layer || from.layer === to.layer) apart++;
                if (acyclic) backs += e.back; else forths += e.back;
            });
        }
        // What follows from others goes, and nothing else: whoever was reached still is.
        let [lost, spare, gone] = [0, 0, 0];
        for (let round = 0; round < 30; round++) {
            const count = 3 + next(14);
            const edges = Array.from({ length: 40 }, () => [next(count), next(count)]).filter(([a, b]) => a !== b).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b), weight: 1 + next(5), group: false, ring: false }));
            const left = essential(count, edges).map(i => edges[i]);
            const reached = (from, all) => { const seen = new Set([from]); for (const node of seen) for (const e of all) if (e.from === node) seen.add(e.to); return [...seen].sort().join(); };
            for (let node = 0; node < count; node++) lost += reached(node, edges) !== reached(node, left);
            for (const e of left) spare += reached(e.from, left.filter(other => other !== e)) === reached(e.from, left);
            gone += edges.length - left.length;
        }
        seen.push(lost, spare, gone > 0);
        seen.push(overlaps, outside, apart, backs, forths > 0); done();";
    let Some(dom) = drive(&page, script) else { return };
    assert_eq!(seen(&dom), "0|0|true|0|0|0|0|true");
}
