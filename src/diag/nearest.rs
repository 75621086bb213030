//! "Did you mean": the nearest right name.

use super::Text;

/// The candidate with the smallest edit distance to `word`, if it is close enough
/// (at most a third of the longer word, at least one edit); ties go to the first in alphabetical order.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let limit = (word.chars().count().max(candidate.chars().count()) / 3).max(1);
        let distance = distance(word, candidate);
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
    }
}
