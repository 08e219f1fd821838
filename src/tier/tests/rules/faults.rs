//! What is said of a file, word for word, and what of it is used all the same.

use tier::rules::{Policy, Reading};

const A: &str = "[[tier]]\nname = 'a'\nkind = 'memfd'\n";

fn said(reading: &Reading) -> Vec<String> {
    reading.complaints.iter().map(ToString::to_string).collect()
}

#[test]
fn each_fault() {
    for (text, wanted) in [
        // Tables and keys.
        ("[teir]\n", "t:1: unknown table 'teir'; expected tier"),
        ("[zebra]\n", "t:1: unknown table 'zebra'; expected options, tier, rule"),
        ("[tier]\n", "t:1: [tier]; expected [[tier]], because there may be several"),
        ("[[options]]\n", "t:1: [[options]]; expected [options]"),
        ("x = 1\n", "t:1: unknown key 'x'; expected options, tier, rule"),
        ("[options]\nverfy = 'exit'\n", "t:2: unknown key 'verfy'; expected verify"),
        ("[options]\nverify = 'often'\n", "t:2: verify is 'often'; expected exit, free or off"),
        ("[options]\n[options]\n", "t:2: a second [options]; expected one"),
        ("tier = [1]\n", "t:1: a number in the list of tiers; expected tables"),
        // Tiers.
        ("[[tier]]\nkind = 'memfd'\n", "t:1: a tier without a name; expected name = a name for rules to use"),
        (
            "[[tier]]\nname = 'x'\n",
            "t:1: a tier without a kind; expected kind = \"numa\", \"file\", \"hugepages\" or \"memfd\"",
        ),
        ("[[tier]]\nname = 'x'\nkind = 'nmua'\n", "t:3: kind is 'nmua'; expected numa, file, hugepages or memfd"),
        (
            "[[tier]]\nname = 'heap'\nkind = 'memfd'\n",
            "t:2: a tier that is called heap; expected a name that has no meaning yet",
        ),
        (
            "[[tier]]\nname = ''\nkind = 'memfd'\n",
            "t:2: '' is no name; expected a name of 1 to 64 bytes, without control characters",
        ),
        ("[[tier]]\nname = 'x'\nkind = 'numa'\n", "t:1: a numa tier without nodes; expected nodes, as in \"0-3,8\""),
        (
            "[[tier]]\nname = 'x'\nkind = 'numa'\nnodes = '0-'\n",
            "t:4: '0-' is no list of numbers; expected numbers and ranges, as in \"0-3,8\"",
        ),
        ("[[tier]]\nname = 'x'\nkind = 'numa'\nnodes = '1024'\n", "t:4: 1024 is too large; expected at most 1023"),
        (
            "[[tier]]\nname = 'x'\nkind = 'file'\n",
            "t:1: a file tier without a path; expected a directory, a file or a DAX device",
        ),
        (
            "[[tier]]\nname = 'x'\nkind = 'memfd'\nnodes = '1'\n",
            "t:4: nodes in a tier of kind memfd; expected beside name, capacity, full and prefault: huge, fork",
        ),
        ("[[tier]]\nname = 'x'\nkind = 'memfd'\ncapcity = '1G'\n", "t:4: unknown key 'capcity'; expected capacity"),
        (
            "[[tier]]\nname = 'x'\nkind = 'memfd'\ncapacity = '1Q'\n",
            "t:4: '1Q' is no size; expected bytes, with K, M, G or T if you like",
        ),
        (
            "[[tier]]\nname = 'x'\nkind = 'memfd'\ncapacity = '99999999T'\n",
            "t:4: '99999999T' is more than a machine has; expected less than 8388608T",
        ),
        (
            "[[tier]]\nname = 'x'\nkind = 'memfd'\ncapacity = -1\n",
            "t:4: capacity is negative; expected a size, as in \"4G\"",
        ),
        (
            "[[tier]]\nname = 'x'\nkind = 'memfd'\ncapacity = 0\n",
            "t:4: a capacity of nothing; expected a size, as in \"4G\"",
        ),
        (
            "[[tier]]\nname = 'x'\nkind = 'memfd'\ncapacity = 1.5\n",
            "t:4: capacity is a fraction; expected a size, as in \"4G\"",
        ),
        ("[[tier]]\nname = 'x'\nkind = 'memfd'\nkind = 'memfd'\n", "t:4: a second kind; expected each key once"),
        (
            "[[tier]]\nname = 'x'\nkind = 'hugepages'\nhuge = 'never'\n",
            "t:4: huge is 'never' in a tier of kind hugepages; expected thp, 2M or 1G",
        ),
        ("[[tier]]\nname = 'x'\nkind = 'memfd'\nfull = 'y'\n", "t:4: unknown tier 'y'; expected heap, x, fail"),
        (
            "[[tier]]\nname = 'x'\nkind = 'memfd'\nfull = 'x'\n",
            "t:1: full leads in a circle: 'x' to 'x'; expected heap or fail at its end (heap is taken)",
        ),
        // Rules.
        ("[[rule]]\n", "t:1: a rule without a tier; expected tier = a tier, or \"heap\""),
        ("[[rule]]\ntier = 'fats'\n", "t:2: unknown tier 'fats'; expected heap"),
        ("[[rule]]\ntier = 7\n", "t:2: tier is a number; expected the name of a tier, or \"heap\""),
        (
            "[[rule]]\ntier = 'heap'\nsize = '2M..1M'\n",
            "t:3: no size is in '2M..1M'; expected a window that is not empty",
        ),
        (
            "[[rule]]\ntier = 'heap'\nsize = 'big'\n",
            "t:3: 'big' is no size; expected \"1M..64M\", \"1M..\", \"..64M\", \"..=64M\" or a size",
        ),
        (
            "[[rule]]\ntier = 'heap'\nsite = 'main'\n",
            "t:3: 'main' is no place in a program; expected \"FILE:LINE\" or \"MODULE+0xOFFSET\"",
        ),
        (
            "[[rule]]\ntier = 'heap'\nsite = 'a.c:0'\n",
            "t:3: 'a.c:0' is no place in a program; expected \"FILE:LINE\" or \"MODULE+0xOFFSET\"",
        ),
        (
            "[[rule]]\ntier = 'heap'\nsite = 'lib.so+0xg'\n",
            "t:3: 'lib.so+0xg' is no place in a program; expected \"FILE:LINE\" or \"MODULE+0xOFFSET\"",
        ),
        (
            "[[rule]]\ntier = 'heap'\nsite = 'a.c:1'\nstack = ['a.c:1']\n",
            "t:1: both site and stack; expected one of them",
        ),
        (
            "[[rule]]\ntier = 'heap'\nstack = 'a.c:1'\n",
            "t:3: stack is a text; expected a list of \"FILE:LINE\" or \"MODULE+0xOFFSET\"",
        ),
        ("[[rule]]\ntier = 'heap'\nstack = []\n", "t:3: a stack of 0 frames; expected 1 to 64"),
        (
            "[[rule]]\ntier = 'heap'\nfunction = '[a'\n",
            "t:3: a [ without its ]: '[a'; expected [a-z], or \\[ for the bracket itself",
        ),
        (
            "[[rule]]\ntier = 'heap'\nmodule = 'build-id:xyz'\n",
            "t:3: 'xyz' is no build id; expected 8 to 64 hexadecimal digits",
        ),
        (
            "[[rule]]\ntier = 'heap'\nrank = '3-1'\n",
            "t:3: 3-1 ends before it begins; expected numbers and ranges, as in \"0-3,8\"",
        ),
        ("[[rule]]\ntier = 'heap'\nfuncton = 'f'\n", "t:3: unknown key 'functon'; expected function"),
        (
            "[[rule]]\ntier = 'heap'\nlimit = '1M'\n",
            "t:1: a limit in a rule for the heap; expected a limit where another tier is used",
        ),
        // The file.
        ("a = \n", "t:1: not TOML: "),
        ("[[rule]]\ntier = 'heap\n", "t:2: not TOML: "),
    ] {
        let reading = Policy::read(text.as_bytes(), "t");
        let said = said(&reading);
        assert_eq!(said.len(), 1, "{text}: {said:#?}");
        if wanted.ends_with(' ') {
            assert!(said[0].starts_with(wanted), "{}", said[0]);
            assert!(reading.policy.is_none());
        } else {
            assert_eq!(said[0], wanted);
        }
    }
}

#[test]
fn what_is_good_is_used() {
    let text = format!(
        "{A}[[tier]]\nname = 'a'\nkind = 'memfd'\n[[tier]]\nname = 'b'\nkind = 'file'\n\
         [[tier]]\nname = 'c'\nkind = 'memfd'\nfull = 'b'\n\
         [[rule]]\ntier = 'b'\nsize='1'\n[[rule]]\ntier = 'b'\n[[rule]]\ntier = 'a'\nsize = 'x'\n[[rule]]\ntier = 'c'\n"
    );
    let reading = Policy::read(text.as_bytes(), "t");
    assert_eq!(
        said(&reading),
        [
            "t:5: a second tier 'a' (the first is in line 1); expected another name",
            "t:7: a file tier without a path; expected a directory, a file or a DAX device",
            "t:7: 2 rules are left out with tier 'b'",
            "t:13: full leads to tier 'b', which is left out; the heap is asked instead",
            "t:21: 'x' is no size; expected \"1M..64M\", \"1M..\", \"..64M\", \"..=64M\" or a size",
        ]
    );
    let policy = reading.policy.unwrap();
    assert_eq!(policy.tiers.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["heap", "a", "c"]);
    assert_eq!(policy.rules().map(|r| (r.at.line, r.tier)).collect::<Vec<_>>(), [(22, 2)]);
}

#[test]
fn circles_are_cut_once() {
    let tier = |name: &str, full: &str| format!("[[tier]]\nname = '{name}'\nkind = 'memfd'\nfull = '{full}'\n");
    let text = [tier("a", "b"), tier("b", "c"), tier("c", "b"), tier("d", "a")].concat();
    let reading = Policy::read(text.as_bytes(), "t");
    assert_eq!(
        said(&reading),
        ["t:5: full leads in a circle: 'b' to 'c' to 'b'; expected heap or fail at its end (heap is taken)"]
    );
    // Every way ends.
    let tiers = reading.policy.unwrap().tiers;
    for start in 1..tiers.len() {
        let mut at = start;
        let mut steps = 0;
        while let tier::spec::Full::Next(next) = tiers[at].full {
            at = usize::from(next);
            steps += 1;
            assert!(steps < tiers.len());
        }
    }
}

#[test]
fn rules_that_can_never_match() {
    for (rules, is_told) in [
        ("[[rule]]\ntier='a'\n[[rule]]\nname='x'\ntier='a'\nsize='1M..'\n", true),
        ("[[rule]]\ntier='a'\nsize='1M..'\n[[rule]]\nname='x'\ntier='a'\n", false),
        ("[[rule]]\ntier='a'\nfunction='solve*'\n[[rule]]\nname='x'\ntier='heap'\nfunction='solver'\n", true),
        ("[[rule]]\ntier='a'\nfunction='solver'\n[[rule]]\nname='x'\ntier='heap'\nfunction='solve*'\n", false),
        ("[[rule]]\ntier='a'\nsite='a.c:1'\n[[rule]]\nname='x'\ntier='heap'\nstack=['a.c:1','b.c:2']\n", true),
        ("[[rule]]\ntier='a'\nstack=['a.c:1','b.c:2']\n[[rule]]\nname='x'\ntier='heap'\nsite='a.c:1'\n", false),
        ("[[rule]]\ntier='a'\nstack=['*','b.c:2']\n[[rule]]\nname='x'\ntier='heap'\nstack=['a.c:1','b.c:2']\n", true),
        ("[[rule]]\ntier='a'\nrank='0-7'\n[[rule]]\nname='x'\ntier='heap'\nrank='2,4'\n", true),
        ("[[rule]]\ntier='a'\nrank='0-7'\n[[rule]]\nname='x'\ntier='heap'\n", false),
        ("[[rule]]\ntier='a'\nsite='a.c:1'\nthread='x'\n[[rule]]\nname='x'\ntier='heap'\nsite='a.c:1'\n", false),
    ] {
        let reading = Policy::read(format!("{A}{rules}").as_bytes(), "t");
        let said = said(&reading);
        let wanted = "'x' can never match: 'rule 1' in line 4 takes all that it would; expected the special rule before the general one";
        assert_eq!(said.iter().any(|s| s.ends_with(wanted)), is_told, "{rules} {said:?}");
        assert_eq!(said.len(), usize::from(is_told), "{said:?}");
    }
}

#[test]
fn hostile_files() {
    let rules = |count: usize| format!("{A}{}", "[[rule]]\ntier='a'\nsize=1\nsite='a.c:1'\n".repeat(count));
    let reading = Policy::read(rules(100_000).as_bytes(), "t");
    assert_eq!(reading.policy.unwrap().rules().len(), 1024);
    assert!(reading.complaints.len() <= 33, "{}", reading.complaints.len());
    assert!(reading.complaints.last().unwrap().to_string().ends_with("more faults"));

    let tiers: String = (0..1000).map(|n| format!("[[tier]]\nname='t{n}'\nkind='memfd'\n")).collect();
    let reading = Policy::read(tiers.as_bytes(), "t");
    assert_eq!(said(&reading), ["t:46: more than 15 tiers; expected at most 15; this one and the rest are left out"]);
    assert_eq!(reading.policy.unwrap().tiers.len(), 16);

    for bytes in [
        [b"[[rule]]\ntier = '".as_slice(), &vec![b'x'; 1 << 20], b"'\n"].concat(),
        b"a = ".iter().copied().chain(std::iter::repeat_n(b'[', 1 << 20)).collect(),
        b"\0\0\0".to_vec(),
        b"[[tier]]\nname = '\xff'\n".to_vec(),
        vec![b'#'; 5 << 20],
        vec![b'\n'; 1 << 20],
        b"[[rule]]\ntier = \"a\\u0000\\u001b[31m\\u202e\"\n".to_vec(),
    ] {
        for complaint in Policy::read(&bytes, "t").complaints {
            let text = complaint.to_string();
            assert!(text.len() < 400 && !text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
        }
    }
    assert_eq!(said(&Policy::read(b"[[tier]]\nname = '\xff'\n", "t")), ["t:2: not UTF-8; expected a text"]);
    assert_eq!(said(&Policy::read(&vec![b'#'; 5 << 20], "t")), ["t: longer than 4 MiB; expected a shorter rule file"]);
}
