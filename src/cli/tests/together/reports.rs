//! Reports of what only the process could know: whose malloc it has, and its table of keys.

use crate::program::{directory, script, text};

/// `mm` has a malloc of its own.
const OWN_MALLOC: &str = r#"
    #include <stdio.h>
    #include <string.h>
    static char pool[1 << 20];
    static unsigned long used;
    void *malloc(unsigned long n) { unsigned long at = used; used += (n + 31) & ~15ul; return used < sizeof pool ? pool + at + 16 : 0; }
    void *calloc(unsigned long a, unsigned long b) { return malloc(a * b); }
    void *realloc(void *p, unsigned long n) { void *q = malloc(n); if (p && q) memcpy(q, p, n); return q; }
    void free(void *p) { (void)p; }
    int main(void) { return strdup("text") == 0; }
"#;

#[test]
fn a_malloc_that_is_not_ours_is_named() {
    let directory = directory("elsewhere");
    std::fs::write(directory.join("mm.c"), OWN_MALLOC).unwrap();
    let output = script(
        &directory,
        r#"gcc -w -o mm mm.c || exit 1
        $shim run --record r -- ./mm 2>run; $shim report r; $shim heap r 2>&1; echo $?; $shim run --heap full -- ./mm 2>asked; grep -c "malloc is that of .*/mm" asked"#,
    );
    let said = text(&output.stdout);
    assert!(said.contains("the heap of mm, whose malloc is that of "), "{said}");
    assert!(said.contains("has nothing of the heap: malloc is that of ") && said.ends_with("\n1\n1\n"), "{said}");
    assert_eq!(std::fs::read_to_string(directory.join("run")).unwrap(), "", "a clean process says nothing");
}

#[test]
fn the_table_of_keys() {
    let here = directory("keys");
    let source = r#"
        #include <pthread.h>
        #include <stdlib.h>
        static pthread_key_t first, second, third;
        static void ends(void *value) { free(value); }
        int main(void) {
            return pthread_key_create(&first, ends) || pthread_key_create(&second, NULL) || pthread_key_create(&third, NULL)
                || pthread_key_delete(second);
        }
    "#;
    std::fs::write(here.join("keys.c"), source).unwrap();
    let output = script(
        &here,
        "gcc -g -pthread -o keys keys.c && LD_PRELOAD=$library SHIM_OPTIONS=record=r:keys=protect ./keys && $shim report --keys r",
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |index: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(&format!("{index}  ")));
        line.unwrap_or_else(|| panic!("{index}: {text}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(text.contains("keys of keys (pid "), "{text}");
    assert_eq!(line("0"), "0 decoy - - -");
    assert_eq!(line("1"), "1 live first (keys) main keys.c:7 ends (keys)");
    assert_eq!(line("2"), "2 deleted second (keys) main keys.c:7 -");
    assert_eq!(line("3"), "3 live third (keys) main keys.c:7 -");
    assert_eq!(line("31"), "31 shim - - -");
}
