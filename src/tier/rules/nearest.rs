//! The known word that an unknown one was meant to be.

/// The nearest, if it is near: at most a third of its letters differ, and not all.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let distances = known.iter().map(|k| (distance(word.as_bytes(), k.as_bytes()), *k));
    distances.min().filter(|(d, k)| *d <= k.len().div_ceil(3) && *d < k.len().min(word.len())).map(|(_, k)| k)
}

/// How many letters must be changed, added or taken away; neighbours that changed places count as one.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1; b.len() + 1];
        for (j, y) in b.iter().enumerate() {
            let changed = row[j] + usize::from(!x.eq_ignore_ascii_case(y));
            next[j + 1] = changed.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                next[j + 1] = next[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn words() {
        let known = ["name", "kind", "nodes", "policy", "capacity", "full"];
        assert_eq!(nearest("capcity", &known), Some("capacity"));
        assert_eq!(nearest("node", &known), Some("nodes"));
        assert_eq!(nearest("nmae", &known), Some("name"));
        assert_eq!(nearest("zebra", &known), None);
        assert_eq!(nearest("x", &["y"]), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), &known), None);
    }
}
