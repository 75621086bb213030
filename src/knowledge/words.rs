//! The words of a symptom text, Chinese and others, limited to those that distinguish faults.

/// Characters of one text that are read. The first lines of a stack trace say what failed; the rest are frames.
const MAX_CHARS: usize = 2_000;

/// Stop words: with only a few cases, their frequency does not yet show that they are not specific to a fault.
const EMPTY: &[&str] = &[
    "an", "and", "are", "at", "be", "by", "for", "from", "has", "in", "is", "it", "of", "on", "or", "that", "the", "this", "to", "was",
    "with",
];

/// Characters that hold a Chinese sentence together, and are hardly ever part of a technical word (unlike 在 of 在线, 并 of 并发).
const PARTICLES: &[char] = &['了', '与', '是', '的', '被', '或'];

/// The words of a text in their order, with repetitions, in lower case:
/// - `MySQLConnectionsExhausted` is `my`, `sql`, `connection`, `exhausted`: names of alerts are sentences without spaces;
/// - Chinese is cut into overlapping pairs of characters (连接池 is 连接, 接池), so that 连接数 and 连接池 share 连接. Pairs find as
///   much as words of a dictionary do (Nie, Gao, Zhang and Zhou, "On the use of words and n-grams for Chinese information
///   retrieval", 2000), need none, and know the words of every trade. Pairs across two words match only where both words stand
///   together again, and are rare elsewhere;
/// - numbers are dropped, as values and times differ each time, but not those of three to five digits: `502`, `1040` are codes;
/// - words that alternate between letters and digits are ids (`7d9f8b6c5` of a pod), and dropped.
pub(super) fn words(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().take(MAX_CHARS).collect();
    let mut words = Vec::new();
    for run in chars.chunk_by(|a, b| script(*a) == script(*b)) {
        match run.first().map(|c| script(*c)) {
            Some(Script::Han) => {
                run.split(|c| PARTICLES.contains(c)).for_each(|part| words.extend(pairs(part)));
            }
            Some(Script::Letters) => words.extend(parts(run).into_iter().map(singular).filter(|word| tells(word))),
            Some(Script::Gap) | None => {}
        }
    }
    words.retain(|word| !EMPTY.contains(&word.as_str()));
    words
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Han,
    /// Letters of any other script, and digits.
    Letters,
    Gap,
}

pub(super) fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}')
}

fn script(c: char) -> Script {
    match c {
        c if is_han(c) => Script::Han,
        c if c.is_alphanumeric() => Script::Letters,
        _ => Script::Gap,
    }
}

/// Overlapping pairs; a single character is a word.
fn pairs(run: &[char]) -> impl Iterator<Item = String> {
    run.windows(run.len().clamp(1, 2)).map(|pair| pair.iter().collect())
}

/// A run of letters and digits, cut where a capital begins a word: `OOMKilled` is `oom`, `killed`; `VMs` stays whole.
fn parts(run: &[char]) -> Vec<String> {
    let is = |at: Option<usize>, test: fn(char) -> bool| at.and_then(|at| run.get(at)).is_some_and(|c| test(*c));
    let mut parts = Vec::new();
    let mut part = String::new();
    for (at, c) in run.iter().enumerate() {
        let before = at.checked_sub(1);
        let after_small = is(before, |b| b.is_lowercase() || b.is_numeric());
        let ends_capitals = is(before, char::is_uppercase) && is(Some(at + 1), char::is_lowercase) && is(Some(at + 2), char::is_lowercase);
        if c.is_uppercase() && (after_small || ends_capitals) {
            parts.push(std::mem::take(&mut part));
        }
        part.extend(c.to_lowercase());
    }
    parts.push(part);
    parts
}

/// Removes the plural `s`, so that `connections` and `connection` are one word. Words like `redis` and `status` keep it.
fn singular(mut word: String) -> String {
    let natural = ["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    if word.len() > 3 && word.is_ascii() && word.ends_with('s') && !natural {
        word.pop();
    }
    word
}

/// Whether a word that is not Chinese is informative.
fn tells(word: &str) -> bool {
    let characters = word.chars().count();
    if word.chars().all(char::is_numeric) {
        return (3..=5).contains(&characters);
    }
    // `k8s` alternates twice; an id more often.
    let alternations = word.chars().zip(word.chars().skip(1)).filter(|(a, b)| a.is_numeric() != b.is_numeric()).count();
    characters > 1 && alternations <= 2
}

#[cfg(test)]
mod tests {
    use super::words;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(words(text), expected, "{text}");
    }

    #[test]
    fn words_of_symptoms() {
        check("MySQLConnectionsExhausted", &["my", "sql", "connection", "exhausted"]);
        check("OOMKilled: 3 VMs of the k8s node", &["oom", "killed", "vms", "k8s", "node"]);
        check("ERROR 1040: Too many connections (93.5%)", &["error", "1040", "too", "many", "connection"]);
        check("redis_status pod order-7d9f8b6c5-x2x4z", &["redis", "status", "pod", "order"]);
        check("P99延迟高", &["p99", "延迟", "迟高"]);
        check("支付的Redis超时", &["支付", "redis", "超时"]);
        check("连接池", &["连接", "接池"]);
        check("高", &["高"]);
        check(" …——! ", &[]);
        check("", &[]);
    }
}
