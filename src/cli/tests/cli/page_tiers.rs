//! Memory tiers in the page, in a headless Chromium: bars with their twins, rules, call stacks, hostile names, a narrow window.

use crate::built;
use crate::page::{CANARY, body, dom, driven, page};
use crate::placements::{Given, NAMES, process};
use crate::profiled::Program;
use crate::sample::write;
use std::fs;

const DRIVER: &str = "
    const seen = [];
    const rows = label => [...document.querySelectorAll(`table[aria-label='${label}'] tbody tr:not(.behind)`)].map(r => [...r.cells].map(c => c.textContent).join(','));
    const labels = class_ => [...document.querySelectorAll(`#view-tiers .bar.${class_}`)].map(b => b.getAttribute('aria-label'));
    const done = () => { document.documentElement.dataset.seen = seen.join('|'); };
";

fn seen(dom: &str) -> &str {
    let at = dom.find("data-seen=\"").expect("the script ran to its end") + 11;
    &dom[at..at + dom[at..].find('"').unwrap()]
}

#[test]
fn bars_and_their_tables() {
    let program = Program::new("page-tiers", &NAMES);
    let page = page(&write(&process(&program, Given::default()), "page-tiers.shim"), "tiers.html");
    let script = format!(
        "{DRIVER}
        seen.push(opened, document.querySelector('[data-view=tiers]').textContent, document.querySelector('#view-tiers .tiles').textContent, '');
        seen.push(...labels('gauge'), '', ...rows('Tiers'), '', ...labels('placement'), '', ...rows('Placement'), '', ...rows('Rules'), '', ...rows('Call stacks of tiers'), '');
        const bar = document.querySelector('.bar.placement'), drawn = [...bar.children].map(p => p.getBoundingClientRect().width / bar.getBoundingClientRect().width);
        seen.push(drawn.map(p => p.toFixed(2)).join(' '), getComputedStyle(bar.children[0]).backgroundImage !== 'none', getComputedStyle(bar.children[1]).backgroundImage !== 'none');
        const gauge = document.querySelector('.bar.gauge'), part = class_ => gauge.querySelector(class_).getBoundingClientRect().width / gauge.getBoundingClientRect().width;
        seen.push(part('.was') > part('.now'), part('.now') > 0);
        document.body.dispatchEvent(new KeyboardEvent('keydown', {{ key: '/', bubbles: true }}));
        seen.push(document.activeElement === tiers.search);
        tiers.search.value = 'table'; tiers.search.dispatchEvent(new Event('input')); seen.push(tiers.found.textContent);
        tiers.search.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Escape', bubbles: true }})); seen.push(tiers.search.value === '', rows('Rules').length);
        const button = document.querySelector('table.places .unfold'); button.click();
        seen.push([...button.closest('tr').nextSibling.querySelectorAll('.fn')].map(f => f.textContent).join(' '));
        // What has nothing behind it does not open.
        seen.push(document.querySelectorAll('table.rules .unfold, table.placement .unfold').length);
        done();"
    );
    let Some(dom) = dom(&driven(&page, &script), "") else { return };
    let told = seen(&dom).replace("&gt;", ">");
    let parts: Vec<&str> = told.split('|').collect();
    for expected in [
        "tiers|Memory tiers|2tiers46 MiBplaced, in 7 blocks1refused for want of room: 2 MiB97.7 %of the pages where they belong1rule never matched",
        "fast: 8 MiB live, 40 MiB at the peak, of 4 GiB||",
        "fast,numa, node 1, bind,7,46 MiB,8 MiB,40 MiB,4 GiB,–,1 (2 MiB),–",
        "fast: node 0: 24 pages, not where they belong; node 1: 1,000 pages",
        "fast,node 0,24,2.3 %,wrong|fast,node 1,1,000,97.7 %,right",
        "fields,rules.toml:7,fast,1,4,4,40 MiB,40 MiB,,–",
        "tables,rules.toml:14,fast,1,4,3,6 MiB,6 MiB,8 MiB,1 (2 MiB)",
        "nevernever matchedpending,rules.toml:21,slow,–,–,–,–,–,,–",
        "allocate_fields,fast,fields,4,40 MiB,40 MiB,8 MiB,–,10,239 of 10,240",
        "0.02 0.98|true|false|true|true|true|1 of 3 rules, 1 of 2 call stacks|true|3|allocate_fields solve main|0",
    ] {
        let found = told.contains(expected);
        assert!(found, "{expected}\n{}", parts.join("\n"));
    }
}

#[test]
fn ranks_stand_behind_a_tier() {
    let program = Program::new("page-tier-ranks", &NAMES);
    let directory = built::directory("page-tier-ranks-recordings");
    for (rank, fields) in [(0, 40), (1, 40), (2, 200), (3, 41)] {
        let memory = process(&program, Given { pid: 90 + rank, rank: Some(rank), fields, ..Given::default() });
        fs::write(directory.join(format!("{rank}.shim")), memory.to_bytes()).unwrap();
    }
    let page = page(&directory, "tier-ranks.html");
    let script = format!(
        "{DRIVER} document.querySelector('table.tiers .unfold').click();
        seen.push(document.querySelector('#view-tiers .whose').textContent, ...rows('Ranks on fast'));
        document.documentElement.dataset.theme = 'dark'; const dark = getComputedStyle(document.querySelector('.gauge .now')).backgroundColor;
        document.documentElement.dataset.theme = 'light'; seen.push(dark !== getComputedStyle(document.querySelector('.gauge .now')).backgroundColor);
        // Narrow: the bars below their names, nothing wider than the window but what scrolls by itself.
        const narrow = document.createElement('div'); narrow.style.width = '360px'; const box = byId('view-tiers'); box.parentNode.replaceChild(narrow, box); narrow.append(box);
        seen.push([...document.querySelectorAll('#view-tiers .tier')].every(t => t.getBoundingClientRect().width <= 360));
        done();"
    );
    let Some(dom) = dom(&driven(&page, &script), "") else { return };
    let told = seen(&dom);
    let expected = "Of 4 processes, ranks 0–3. Peaks are added up, whenever each was.|\
        rank 0,46 MiB,40 MiB,1|rank 1,46 MiB,40 MiB,1|rank 2odd,206 MiB,200 MiB,1|rank 3,47 MiB,41 MiB,1|true|true";
    assert_eq!(told, expected);
    assert!(body(&dom).contains("odd: rank 2 (206 MiB)"));
}

#[test]
fn hostile_names_of_tiers_and_rules_stay_text() {
    let image = format!("<img src=x onerror={}>", CANARY.replace('\'', "`"));
    let script = "</script><script>document.documentElement.dataset.canary=1</script>";
    let program = Program::new("page-tiers-<b>", &NAMES);
    let given = Given { names: [&image, script, "<i>rules\u{1b}"], rank: Some(7), ..Given::default() };
    let page = page(&write(&process(&program, given), "page-tiers-hostile.shim"), "tiers-hostile.html");
    let script =
        format!("{DRIVER} document.querySelectorAll('.unfold').forEach(b => b.click()); seen.push(1); done();");
    let Some(dom) = dom(&driven(&page, &script), "#tiers") else { return };
    let body = body(&dom);
    assert_eq!(seen(&dom), "1");
    assert!(!dom.contains("data-canary") && !dom.contains('\u{1b}'));
    for tag in ["<img", "<script>document", "<i>", "<b>rules"] {
        assert!(!body.contains(tag), "{tag}\n{body}");
    }
    let escaped = |text: &str| text.replace('<', "&lt;").replace('>', "&gt;");
    assert!(body.matches(&escaped(&image)).count() >= 5 && body.contains("&lt;/script&gt;&lt;script&gt;"), "{body}");
    assert!(body.contains(r"&lt;i&gt;rules\x1b:7"), "{body}");
}

#[test]
fn without_tiers_there_is_no_such_view() {
    let page = page(&crate::sample::CLEAN, "no-tiers.html");
    let Some(dom) = dom(&page, "#tiers") else { return };
    assert!(!body(&dom).contains("Memory tiers"));
}
