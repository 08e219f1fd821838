//! Lists of small numbers, as the kernel writes them and as people read them: `0-3,8`, `0–3, 8`.

/// More numbers than this are no list of nodes or CPUs.
const MOST: usize = 1 << 16;

/// The numbers of `0-3,8`; nothing when it is no such list.
pub fn parse(text: &str) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if last.checked_sub(first)? as usize >= MOST - numbers.len() {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

/// As the kernel and rule files write them.
pub fn plain(numbers: &[u32]) -> String {
    joined(numbers, "-", ",", usize::MAX)
}

/// As a person reads them; after `most` runs it is an ellipsis.
pub fn words(numbers: &[u32], most: usize) -> String {
    joined(numbers, "–", ", ", most)
}

fn joined(numbers: &[u32], dash: &str, comma: &str, most: usize) -> String {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in sorted {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let one = |(first, last): &(u32, u32)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}{dash}{last}"),
    };
    let mut parts: Vec<String> = runs.iter().take(most).map(one).collect();
    if runs.len() > most {
        parts.push("…".to_owned());
    }
    parts.join(comma)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (text, numbers) in [("", &[][..]), ("0", &[0]), ("0-3,8", &[0, 1, 2, 3, 8]), ("0-1\n", &[0, 1])] {
            assert_eq!(parse(text).unwrap(), numbers);
            assert_eq!(plain(numbers), text.trim());
        }
        for wrong in ["x", "3-1", "0-", "-1", "0-4294967295"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn for_people() {
        assert_eq!(words(&[3, 1, 2, 2, 7, 9], 2), "1–3, 7, …");
        assert_eq!(words(&[u32::MAX, 0], 9), "0, 4294967295");
    }
}
