//! FlexMalloc's variables.

use super::super::Faults;
use super::super::number::quoted_bytes;
use super::Allocator;

#[derive(Debug)]
pub struct Environment {
    /// For what no location wants, and for what does not fit.
    pub fallback: Allocator,
    /// Sizes up to this one go to an allocator whatever the stack is.
    pub small: Option<(u64, Allocator)>,
    pub whole_path: bool,
    pub minus_1: bool,
    pub stop_at_main: bool,
    /// None: the file tells.
    pub source: Option<bool>,
    pub ignore_on_fallback: bool,
    /// Of offsets.
    pub base: u32,
}

pub fn read(variable: &mut dyn FnMut(&str) -> Option<Vec<u8>>, faults: &mut Faults) -> Environment {
    let mut flag = |name: &str, default: bool, faults: &mut Faults| {
        let value = variable(name)?;
        let is = |words: &[&str]| {
            words
                .iter()
                .any(|word| value.len() >= word.len() && value[..word.len()].eq_ignore_ascii_case(word.as_bytes()))
        };
        match (is(&["yes", "enabled", "true", "1"]), is(&["no", "disabled", "false", "0"])) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => {
                let taken = if default { "yes" } else { "no" };
                let expected = format!("yes, enabled, true, 1, no, disabled, false or 0 ({taken} is taken)");
                faults.add(0, &format!("{name} is {}", quoted_bytes(&value)), &expected);
                Some(default)
            }
        }
    };
    let whole_path = flag("FLEXMALLOC_COMPARE_WHOLE_PATH", false, faults).unwrap_or(false);
    let minus_1 = flag("FLEXMALLOC_CALLSTACK_MINUS1", false, faults).unwrap_or(false);
    let stop_at_main = flag("FLEXMALLOC_CALLSTACK_STOP_AT_MAIN", false, faults).unwrap_or(false);
    let ignore_on_fallback = flag("FLEXMALLOC_IGNORE_LOCATIONS_ON_FALLBACK_ALLOCATOR", true, faults).unwrap_or(true);
    let source = flag("FLEXMALLOC_SOURCE_FRAMES", true, faults);

    let mut allocator = |name: &str, default: Allocator, faults: &mut Faults| {
        let Some(value) = variable(name) else { return default };
        Allocator::named(&value).unwrap_or_else(|| {
            let expected = format!("{} ({} is taken)", Allocator::EXPECTED, default.name());
            faults.add(0, &format!("{name} is {}", quoted_bytes(&value)), &expected);
            default
        })
    };
    let fallback = allocator("FLEXMALLOC_FALLBACK_ALLOCATOR", Allocator::Posix, faults);
    let small_allocator = allocator("FLEXMALLOC_MINSIZE_THRESHOLD_ALLOCATOR", fallback, faults);
    let mut number = |name: &str, most: u64, expected: &str, faults: &mut Faults| {
        let value = variable(name)?;
        let text = std::str::from_utf8(&value).ok().map(str::trim).filter(|t| t.bytes().all(|b| b.is_ascii_digit()));
        let number = text.and_then(|text| text.parse::<u64>().ok()).filter(|number| *number <= most);
        if number.is_none() {
            faults.add(0, &format!("{name} is {}", quoted_bytes(&value)), expected);
        }
        number
    };
    let largest = number("FLEXMALLOC_MINSIZE_THRESHOLD", i64::MAX as u64, "a number of bytes (0 is taken)", faults);
    let small = largest.filter(|bytes| *bytes > 0).map(|bytes| (bytes, small_allocator));
    let base = number("FLEXMALLOC_READ_OFFSET_BASE", 36, "8, 10, 16 or 0 (16 is taken)", faults);
    let base = base.filter(|base| *base != 1).unwrap_or(16) as u32;
    Environment { fallback, small, whole_path, minus_1, stop_at_main, source, ignore_on_fallback, base }
}
