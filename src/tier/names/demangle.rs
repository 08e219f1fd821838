//! Function names as their language writes them.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// No name is longer.
const LONGEST: usize = 4096;

/// Without parameters, result and hash; `None` when the name is not mangled.
pub fn without_parameters(linked: &str) -> Option<Cow<'static, str>> {
    if linked.len() > LONGEST {
        return None;
    }
    if let Ok(rust) = rustc_demangle::try_demangle(linked) {
        return bounded(format_args!("{rust:#}")).map(Cow::Owned);
    }
    if !linked.starts_with("_Z") {
        return None;
    }
    let parse = cpp_demangle::ParseOptions::default().recursion_limit(96);
    let options = cpp_demangle::DemangleOptions::new().recursion_limit(96).no_params().no_return_type();
    let symbol = cpp_demangle::Symbol::new_with_options(linked, &parse).ok()?;
    let mut text = Bounded::default();
    symbol.structured_demangle(&mut text, &options).ok()?;
    Some(Cow::Owned(text.0))
}

fn bounded(text: fmt::Arguments<'_>) -> Option<String> {
    let mut into = Bounded::default();
    into.write_fmt(text).ok()?;
    Some(into.0)
}

/// A few bytes may stand for megabytes: what does not fit is no name.
#[derive(Default)]
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::without_parameters;

    #[test]
    fn each_language() {
        let written = |linked| without_parameters(linked).unwrap_or_default().into_owned();
        assert_eq!(written("_ZN3net6Socket5closeEi"), "net::Socket::close");
        assert_eq!(written("_ZN4Foam5FieldIdEC1Ei"), "Foam::Field<double>::Field");
        assert_eq!(written("_Z5solveIdEvT_"), "solve<double>");
        assert_eq!(written("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE"), "core::fmt::Write::write_fmt");
        assert_eq!(without_parameters("main"), None);
        assert_eq!(without_parameters("_Znonsense"), None);
        assert_eq!(without_parameters(&"_Z".repeat(1 << 20)), None);
    }
}
