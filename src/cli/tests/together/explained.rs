//! The programs of `shim explain` do what their pages say.

use crate::program::{PLACES, directory, script, text};
use std::process::Command;

/// Of each page of `shim explain` about locks: its program is reported for what the page says.
#[test]
fn programs_of_lock_pages_do_what_they_say() {
    let here = directory("explained");
    let list = text(&Command::new(&PLACES.shim).arg("explain").output().unwrap().stdout);
    let mut ran = 0;
    for kind in list.lines().filter_map(|line| line.split(' ').next()).filter(|kind| kind.starts_with("lock.")) {
        let page = text(&Command::new(&PLACES.shim).args(["explain", kind]).output().unwrap().stdout);
        let Some(program) = page.split("```c\n").nth(1).and_then(|rest| rest.split("```").next()) else { continue };
        std::fs::write(here.join(format!("{kind}.c")), program).unwrap();
        let options = match kind {
            "lock.order" => "locks=order",
            "lock.write-under-read" => "lock_watch=1:heap=full",
            _ => "locks=observe",
        };
        let said = script(
            &here,
            &format!(
                "gcc -g -O1 -pthread -o {kind} {kind}.c && mkdir {kind}.d || exit 99
                 LD_PRELOAD=$library SHIM_OPTIONS={options}:record={kind}.d timeout 20 ./{kind} > {kind}.out 2>&1
                 $shim report --json {kind}.d"
            ),
        );
        let found = format!("\"kind\":\"{kind}\"");
        assert!(text(&said.stdout).contains(&found), "{kind}: {}{}", text(&said.stdout), text(&said.stderr));
        ran += 1;
    }
    assert!(ran >= 10, "{ran} programs");
}

/// Of each page about memory tiers: its program and its first rule file are reported for what the page says, with its severity; with
/// the second one, which puts it right, there is nothing to report.
#[test]
fn programs_of_tier_pages_do_what_they_say() {
    let here = directory("explained-tiers");
    for (kind, severity, count, status) in [("tier.full", "error", 4, 4), ("tier.config", "info", 1, 0)] {
        let page = text(&Command::new(&PLACES.shim).args(["explain", kind]).output().unwrap().stdout);
        let fenced = |fence: &str, nth: usize| {
            let part = page.split(fence).nth(nth).and_then(|rest| rest.split("```").next());
            part.unwrap_or_else(|| panic!("{kind}: {nth} of {fence}")).to_owned()
        };
        std::fs::write(here.join(format!("{kind}.c")), fenced("```c\n", 1)).unwrap();
        std::fs::write(here.join(format!("{kind}.wrong.toml")), fenced("```toml\n", 1)).unwrap();
        std::fs::write(here.join(format!("{kind}.right.toml")), fenced("```toml\n", 2)).unwrap();
        let found = |rules: &str, status: i32| {
            let said = script(
                &here,
                &format!(
                    "[ -x {kind} ] || gcc -g -O1 -Wall -Wextra -Werror -o {kind} {kind}.c || exit 99
                     mkdir {kind}.{rules}.d || exit 98
                     LD_PRELOAD=$library SHIM_OPTIONS=tiers={kind}.{rules}.toml:record={kind}.{rules}.d ./{kind} 2> /dev/null
                     [ $? = {status} ] || exit 97
                     $shim report --json {kind}.{rules}.d"
                ),
            );
            assert_ne!(said.status.code(), Some(97), "{kind} {rules}: another status than {status}");
            assert!(said.status.code().is_some_and(|code| code < 90), "{kind} {rules}: {}", text(&said.stderr));
            text(&said.stdout)
        };
        let wrong = found("wrong", status);
        let line = wrong.lines().find(|line| line.contains(&format!("\"kind\":\"{kind}\"")));
        let line = line.unwrap_or_else(|| panic!("{kind}: {wrong}"));
        assert!(line.contains(&format!("\"severity\":\"{severity}\"")), "{line}");
        assert!(line.contains(&format!("\"count\":{count},")), "{line}");
        let right = found("right", 0);
        assert!(!right.contains("\"kind\":"), "{kind}: {right}");
    }
}
