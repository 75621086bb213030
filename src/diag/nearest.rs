//! "Did you mean": the nearest right name.

use super::Text;

/// The candidate that is `word` without its namespace or its domain, or the other way round; else the one with the smallest edit
/// distance, if it is close enough (at most a third of the longer word, at least one edit). Ties go to the first in alphabetical order.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let limit = (word.chars().count().max(candidate.chars().count()) / 3).max(1);
        let same = is_short(word, candidate) || is_short(candidate, word);
        let distance = if same { 0 } else { distance(word, candidate) };
        if distance <= limit && best.is_none_or(|b| (distance, candidate) < b) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The sentence for a name that was probably meant.
pub fn did_you_mean(name: &str) -> Text {
    crate::text!("did you mean `{}`?", name)
}

/// "Did you mean" the nearest candidate, if one is near enough.
pub fn suggestion<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<Text> {
    nearest(word, candidates).map(did_you_mean)
}

/// Whether a name is the last part of a path, or the first label of a host: `cart` of `shop/cart`, `w7` of `w7.example.com`.
fn is_short(short: &str, long: &str) -> bool {
    let last = || long.rsplit_once('/').map(|(_, last)| last);
    let first = || long.split_once('.').map(|(first, _)| first);
    // The first number of an address is no name.
    let is_name = short.contains(|c: char| !c.is_ascii_digit());
    is_name && [last(), first()].into_iter().flatten().any(|part| part.eq_ignore_ascii_case(short))
}

/// Edit distance over characters with neighboring swaps (optimal string alignment); quadratic, for short names.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let substitute = at(&previous, j) + usize::from(ca != cb);
            let mut cost = substitute.min(at(&previous, j + 1) + 1).min(at(&row, j) + 1);
            if i > 0 && j > 0 && a.get(i - 1) == Some(cb) && b.get(j - 1) == Some(ca) {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut previous, row);
    }
    at(&previous, b.len())
}

fn at(row: &[usize], index: usize) -> usize {
    row.get(index).copied().unwrap_or(usize::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_what_was_meant_and_nothing_else() {
        let names = ["cpu_usage", "memory_usage", "连接数", "最大连接数"];
        assert_eq!(nearest("cpu_usge", names), Some("cpu_usage"));
        assert_eq!(nearest("cup_usage", names), Some("cpu_usage"));
        assert_eq!(nearest("最大连结数", names), Some("最大连接数"));
        assert_eq!(nearest("disk", names), None);
        let names = ["10.0.0.1", "carts", "ip-10-0-1-11.eu-central-1.compute.internal", "pay", "shop/cart", "staging/cart"];
        for (word, expected) in [
            ("cart", Some("shop/cart")),
            ("ip-10-0-1-11", Some("ip-10-0-1-11.eu-central-1.compute.internal")),
            ("shop/pay", Some("pay")),
            ("pay.shop.svc", Some("pay")),
            ("crts", Some("carts")),
            ("10", None),
        ] {
            assert_eq!(nearest(word, names), expected, "{word}");
        }
    }
}
