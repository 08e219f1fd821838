//! Values as what a key wants them to be.

use super::super::document::Value;
use super::super::glob::Glob;
use super::super::number::{self, Fault, quoted};

pub fn text<'t>(key: &str, value: &'t Value, expected: &'static str) -> Result<&'t str, Fault> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err((format!("{key} is {}", other.kind()), expected)),
    }
}

/// For people: one line that is not too long.
pub fn name<'t>(key: &str, value: &'t Value) -> Result<&'t str, Fault> {
    const EXPECTED: &str = "a name of 1 to 64 bytes, without control characters";
    let name = text(key, value, EXPECTED)?;
    let good = (1..=64).contains(&name.len()) && !name.chars().any(char::is_control);
    if good { Ok(name) } else { Err((format!("{} is no name", quoted(name)), EXPECTED)) }
}

pub fn flag(key: &str, value: &Value) -> Result<bool, Fault> {
    match value {
        Value::Flag(flag) => Ok(*flag),
        other => Err((format!("{key} is {}", other.kind()), "true or false")),
    }
}

pub fn size(key: &str, value: &Value) -> Result<u64, Fault> {
    const EXPECTED: &str = "a size, as in \"4G\"";
    match value {
        Value::Number(bytes @ 0..) => Ok(*bytes as u64),
        Value::Number(_) => Err((format!("{key} is negative"), EXPECTED)),
        other => number::size(text(key, other, EXPECTED)?),
    }
}

pub fn list<'t>(key: &str, value: &'t Value, expected: &'static str) -> Result<Vec<&'t str>, Fault> {
    match value {
        Value::List(values) => values.iter().map(|value| text(&format!("one of {key}"), value, expected)).collect(),
        other => Err((format!("{key} is {}", other.kind()), expected)),
    }
}

pub fn glob(key: &str, value: &Value) -> Result<Glob, Fault> {
    let pattern = text(key, value, "a glob")?;
    Glob::parse(pattern.as_bytes()).map_err(|(what, expected)| (format!("{what}: {}", quoted(pattern)), expected))
}

pub fn chosen<T: Copy>(key: &str, value: &Value, choices: &[(&str, T)], expected: &'static str) -> Result<T, Fault> {
    let word = text(key, value, expected)?;
    let choice = choices.iter().find(|(name, _)| *name == word).map(|(_, choice)| *choice);
    choice.ok_or_else(|| (format!("{key} is {}", quoted(word)), expected))
}
