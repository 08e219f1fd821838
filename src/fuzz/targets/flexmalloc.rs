//! FlexMalloc's two files and its variables, a zero byte between: definitions, locations, `NAME=VALUE` lines.
//! Claims: those of [`super::rules`].

use super::rules;
use tier::rules::Policy;
use tier::rules::flexmalloc::Files;

pub fn run(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == 0);
    let mut next = || parts.next().unwrap_or_default();
    let (definitions, locations, environment) = (next(), next(), next());
    let mut variable = |name: &str| {
        let lines = environment.split(|byte| *byte == b'\n');
        let mut values = lines.filter_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        values.next().map(<[u8]>::to_vec)
    };
    let files = Files { definitions: (definitions, "definitions"), locations: (locations, "locations") };
    let mut reading = Policy::read_flexmalloc(&files, &mut variable, &mut |path| Some(path.to_vec()));
    rules::complaints(&reading, &["definitions", "locations", "the environment"]);
    if let Some(policy) = &mut reading.policy {
        rules::decide(policy, input);
    }
}
