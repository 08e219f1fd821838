//! Bytes and counts for people: `7.1 MiB`, `1,204,332`.

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// Three figures or so.
pub fn bytes(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    // What would be shown as 1024 is 1.0 of the next.
    while let Some(next) = (value >= 1023.5).then(|| units.next()).flatten() {
        (value, unit) = (value / 1024.0, Some(next));
    }
    let unit = unit.unwrap_or(&"");
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// A change: with its sign.
pub fn change(by: i128) -> String {
    let size = bytes(u64::try_from(by.unsigned_abs()).unwrap_or(u64::MAX));
    if by < 0 { format!("-{size}") } else { format!("+{size}") }
}

/// Thousands set apart.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 block`, `1,204 blocks`.
pub fn blocks(n: u64) -> String {
    format!("{} block{}", count(n), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_words() {
        let sizes = [0, 1023, 1024, 7_444_890, 10_189, 10_190, (1 << 20) - 1, 1 << 20, 12 << 30, u64::MAX];
        let texts =
            ["0 B", "1023 B", "1.0 KiB", "7.1 MiB", "10 KiB", "10 KiB", "1.0 MiB", "1.0 MiB", "12 GiB", "16 EiB"];
        assert_eq!(sizes.map(bytes), texts);
        assert_eq!([change(-2048), change(0), change(5)], ["-2.0 KiB", "+0 B", "+5 B"]);
        assert_eq!([count(0), count(999), count(1000), count(1_204_332)], ["0", "999", "1,000", "1,204,332"]);
        assert_eq!([blocks(1), blocks(2000)], ["1 block", "2,000 blocks"]);
    }
}
