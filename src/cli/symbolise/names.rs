//! Function names as their language writes them.

/// Demangles what is mangled; anything else stays as it is.
pub fn demangled(name: &str) -> String {
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        // Without the hash.
        return format!("{rust:#}");
    }
    if name.starts_with("_Z") {
        let options = cpp_demangle::DemangleOptions::new().recursion_limit(96);
        let symbol = cpp_demangle::Symbol::new(name).ok();
        if let Some(text) = symbol.and_then(|symbol| symbol.demangle_with_options(&options).ok()) {
            return text;
        }
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::demangled;

    #[test]
    fn each_language() {
        assert_eq!(demangled("finish_request"), "finish_request");
        assert_eq!(demangled("_ZN3net6Socket5closeEi"), "net::Socket::close(int)");
        assert_eq!(demangled("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE"), "core::fmt::Write::write_fmt");
        assert_eq!(demangled("_Znonsense"), "_Znonsense");
    }
}
