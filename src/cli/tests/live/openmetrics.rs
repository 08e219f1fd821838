//! A strict reader of OpenMetrics text 1.0, as far as counters, gauges and infos go: what it does not know is an error.

use std::collections::{BTreeMap, BTreeSet};

type Labels = BTreeMap<String, String>;

#[derive(Debug)]
pub struct Page(Vec<(String, Labels, f64)>);

impl Page {
    pub fn all(&self, name: &str) -> impl Iterator<Item = (&Labels, f64)> {
        self.0.iter().filter(move |(n, ..)| n == name).map(|(_, labels, value)| (labels, *value))
    }

    /// The value of the one sample that has these labels.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found =
            self.all(name).filter(|(l, _)| labels.iter().all(|(k, v)| l.get(*k).is_some_and(|value| value == v)));
        let first = found.next()?.1;
        assert!(found.next().is_none(), "{name} {labels:?}: several");
        Some(first)
    }
}

struct Family {
    name: String,
    kind: String,
}

pub fn parse(text: &str) -> Result<Page, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("it does not end in `# EOF` and a newline")?;
    let mut seen = BTreeSet::new();
    let mut family: Option<Family> = None;
    let mut metadata = BTreeSet::new();
    let (mut samples, mut known) = (Vec::new(), BTreeSet::new());
    for line in body.split_terminator('\n') {
        let fail = |why: &str| Err(format!("{why}: {line}"));
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (Some(what), Some(name), Some(value)) = (words.next(), words.next(), words.next()) else {
                return fail("a comment");
            };
            if !is_name(name) {
                return fail("no name");
            }
            if what == "TYPE" {
                if !seen.insert(name.to_owned()) || !["counter", "gauge", "info"].contains(&value) {
                    return fail("a family twice, or of an unknown type");
                }
                family = Some(Family { name: name.to_owned(), kind: value.to_owned() });
                metadata.clear();
                continue;
            }
            let same = family.as_ref().is_some_and(|f| f.name == name);
            let in_order = same
                && metadata.insert(what.to_owned())
                && !known.iter().any(|(n, _): &(String, Labels)| n.starts_with(name) && of(n, family.as_ref()));
            match what {
                "UNIT" if in_order && name.ends_with(&format!("_{value}")) => {}
                "HELP" if in_order => {}
                _ => return fail("metadata out of place"),
            }
            continue;
        }
        let (name, labels, value) = sample(line).ok_or_else(|| format!("no sample: {line}"))?;
        if !of(&name, family.as_ref()) {
            return fail("not of the family before it");
        }
        let number =
            if value == "+Inf" { f64::INFINITY } else { value.parse().map_err(|_| format!("no number: {line}"))? };
        if name.ends_with("_total") && (number.is_nan() || number < 0.0) || name.ends_with("_info") && number != 1.0 {
            return fail("no such value");
        }
        if !known.insert((name.clone(), labels.clone())) {
            return fail("a sample twice");
        }
        samples.push((name, labels, number));
    }
    Ok(Page(samples))
}

/// Is it a sample of the family?
fn of(name: &str, family: Option<&Family>) -> bool {
    family.is_some_and(|f| {
        let suffix = match f.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        name.strip_suffix(suffix) == Some(&f.name)
    })
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn sample(line: &str) -> Option<(String, Labels, &str)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (key, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            if !is_name(key) || labels.insert(key.to_owned(), value).is_some() {
                return None;
            }
            if let Some(after) = after.strip_prefix('}') {
                rest = after;
                break;
            }
            rest = after.strip_prefix(',')?;
        }
    }
    let value = rest.strip_prefix(' ')?;
    (is_name(name) && !value.contains(' ')).then(|| (name.to_owned(), labels, value))
}

/// The text up to the closing quote, and what follows that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}
