//! `shim pages`: what is installed beside the command names everything that `--help` names.

use crate::built;
use crate::installed::{output, parts, text};
use std::fs;

/// The subcommands, as `shim --help` lists them.
fn subcommands() -> Vec<String> {
    let help = text(&output(&["--help"]).stdout);
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<String> = list.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(names.len() >= 14, "{names:?}");
    names
}

#[test]
fn each_subcommand_has_its_page_and_is_completed() {
    let directory = built::directory("pages");
    let made = output(&["pages".as_ref(), directory.as_os_str()]);
    assert_eq!(parts(&made), (String::new(), String::new(), Some(0)));
    let read = |path: &str| fs::read_to_string(directory.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let whole = read("man/man1/shim.1");
    let shells =
        ["bash-completion/completions/shim", "zsh/site-functions/_shim", "fish/vendor_completions.d/shim.fish"];
    let completions = shells.map(&read);
    for name in subcommands() {
        assert!(whole.contains(&format!("shim\\-{name}(1)")), "shim.1 does not name {name}");
        let page = read(&format!("man/man1/shim-{name}.1"));
        assert!(page.contains(".TH shim\\-") || page.contains(&format!("shim-{name}")), "{name}: {page}");
        assert!(page.contains("SYNOPSIS"), "{name}: {page}");
        for (shell, completion) in shells.iter().zip(&completions) {
            assert!(completion.contains(&name), "{shell} does not complete {name}");
        }
    }
    assert!(read("man/man1/shim-run.1").contains("\\-\\-record"), "options are in the page");
    assert!(completions.iter().all(|c| c.contains("record")), "options are completed");
    assert!(!whole.contains("pages"), "what is not for users is not named");
    let pages = fs::read_dir(directory.join("man/man1")).unwrap().count();
    assert_eq!(pages, subcommands().len() + 1);
}

#[test]
fn where_nothing_can_be_written() {
    let file = built::directory("pages-refused").join("file");
    fs::write(&file, "").unwrap();
    let (stdout, stderr, code) = parts(&output(&["pages".as_ref(), file.as_os_str()]));
    assert_eq!((stdout.as_str(), code), ("", Some(1)));
    assert!(stderr.starts_with("shim: ") && stderr.contains("Not a directory"), "{stderr}");
}
