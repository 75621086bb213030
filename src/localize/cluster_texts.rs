//! Decides which texts are similar: those with the same name and template, related templates with the same name, and those that share
//! half of the words of both text and name.

use std::collections::{BTreeMap, BTreeSet};

use anomaly::{Miner, sentence, telling, tokens};
use estate::Snapshot;

use super::clusters::Loose;
use super::connected::{find, union};
use super::symptoms::Kind;

/// Two templates are similar if they share at least half of their words (Jaccard).
const ALIKE: (usize, usize) = (1, 2);

/// At most this many classes are compared pairwise: half a million pairs. An alert storm has a few dozen classes.
const MAX_COMPARED: usize = 1_000;

/// Names shorter than this are not masked in texts: a single letter would match anywhere.
const MIN_NAME: usize = 2;

/// Replaces the component's name in a text. It is a number, because the tokenizer treats every number as a value.
const NAME: &str = " 0 ";

/// The texts of the unexplained signals, by position.
pub struct Texts {
    /// By class, as text.
    templates: Vec<String>,
    class: Vec<usize>,
    family: Vec<usize>,
}

/// Signals of one kind, name and template; without a template, only those with an equal text.
struct Class<'a> {
    kind: Kind,
    template: Option<usize>,
    name: Option<&'a str>,
    name_words: BTreeSet<String>,
    words: BTreeSet<String>,
}

/// The key of a class: kind, template, name, and the text if there is no template.
type Sameness<'a> = (Kind, Option<usize>, Option<&'a str>, &'a str);

impl Texts {
    pub fn of(estate: &Snapshot, loose: &[Loose<'_>]) -> Self {
        let called = |one: &Loose<'_>| one.name.filter(|name| !name.is_empty()).map(|name| canonical(&masked(estate, one, name)));
        let names: Vec<Option<String>> = loose.iter().map(called).collect();
        let masked: Vec<String> = loose.iter().map(|one| sentence(&masked(estate, one, one.text)).into_owned()).collect();
        // Sorted by text, so that templates do not depend on the order of the signals.
        let mut equal: BTreeMap<(Kind, &str), Vec<usize>> = BTreeMap::new();
        for (at, (one, text)) in loose.iter().zip(&masked).enumerate() {
            equal.entry((one.kind, text.as_str())).or_default().push(at);
        }
        let mut miners: BTreeMap<Kind, Miner> = BTreeMap::new();
        let mut members: BTreeMap<Sameness<'_>, Vec<usize>> = BTreeMap::new();
        for ((kind, text), signals) in equal {
            let template = miners.entry(kind).or_default().add(&tokens(text));
            let rest = if template.is_some() { "" } else { text };
            for at in signals {
                let name = names.get(at).and_then(Option::as_deref);
                members.entry((kind, template, name, rest)).or_default().push(at);
            }
        }
        let mut texts = Texts { templates: Vec::new(), class: vec![0; loose.len()], family: Vec::new() };
        let mut classes: Vec<Class<'_>> = Vec::new();
        for ((kind, template, name, text), signals) in members {
            let mined = template.and_then(|at| miners.get(&kind).map(|miner| (miner, at)));
            texts.templates.push(mined.map_or_else(|| text.to_owned(), |(miner, at)| miner.text(at)));
            let words = mined.map(|(miner, at)| miner.words(at).flat_map(telling).collect()).unwrap_or_default();
            for at in signals {
                if let Some(class) = texts.class.get_mut(at) {
                    *class = classes.len();
                }
            }
            classes.push(Class { kind, template, name, name_words: name.map(words_of).unwrap_or_default(), words });
        }
        texts.family = families(&classes);
        texts
    }

    /// A number that is equal for signals with similar texts.
    pub fn family(&self, at: usize) -> usize {
        self.class.get(at).and_then(|class| self.family.get(*class)).copied().unwrap_or(0)
    }

    /// The text of a signal, values and names as `<*>`.
    pub fn template(&self, at: usize) -> &str {
        self.class.get(at).and_then(|class| self.templates.get(*class)).map_or("", String::as_str)
    }
}

/// Single linkage over classes of one kind. Classes without a template are not compared: there may be as many as signals.
fn families(classes: &[Class<'_>]) -> Vec<usize> {
    let mut parent: BTreeMap<usize, usize> = BTreeMap::new();
    let mined = classes.iter().enumerate().filter(|(_, class)| class.template.is_some());
    let mined: Vec<(usize, &Class<'_>)> = mined.take(MAX_COMPARED).collect();
    for (nth, (a, one)) in mined.iter().enumerate() {
        for (b, other) in mined.iter().skip(nth + 1).filter(|(_, other)| other.kind == one.kind) {
            if alike(one, other) {
                union(&mut parent, *a, *b);
            }
        }
    }
    (0..classes.len()).map(|at| find(&mut parent, at)).collect()
}

fn alike(one: &Class<'_>, other: &Class<'_>) -> bool {
    let texts = share(&one.words, &other.words);
    match (one.name, other.name) {
        // A name normally belongs to one alerting rule, so all its alerts are similar. If the name is generic (`Problem`), the other words
        // have nothing in common.
        (Some(ours), Some(theirs)) if ours == theirs => {
            let beyond = |class: &Class<'_>| class.words.difference(&class.name_words).cloned().collect::<BTreeSet<String>>();
            let (ours, theirs) = (beyond(one), beyond(other));
            texts || ours.is_empty() || theirs.is_empty() || !ours.is_disjoint(&theirs)
        }
        // Two rules that both print `value is out of bounds` are still two rules.
        (Some(_), Some(_)) => texts && share(&one.name_words, &other.name_words),
        (Some(_) | None, None) | (None, Some(_)) => texts,
    }
}

fn share(ours: &BTreeSet<String>, theirs: &BTreeSet<String>) -> bool {
    let shared = ours.intersection(theirs).count();
    let all = ours.len() + theirs.len() - shared;
    let (of, out_of) = ALIKE;
    shared > 0 && shared * out_of >= all * of
}

fn words_of(text: &str) -> BTreeSet<String> {
    tokens(text).words().flat_map(telling).collect()
}

/// A name with its values masked, because some rules write ids into it. Unchanged if nothing else would be left: `HTTP5xx`.
fn canonical(name: &str) -> String {
    let read = tokens(name);
    let mut words = read.words().peekable();
    if words.peek().is_none() { name.to_owned() } else { words.collect::<Vec<_>>().join(" ") }
}

/// A text without the id and name of the signal's own component, so that the same message about twenty services is the same text.
fn masked(estate: &Snapshot, one: &Loose<'_>, text: &str) -> String {
    let Some(component) = one.component.map(|component| estate.component(component)) else { return text.to_owned() };
    without(&without(text, &component.id), &component.name)
}

/// Whole names only. Chinese names match anywhere, because Chinese has no spaces between words.
fn without(text: &str, name: &str) -> String {
    if name.chars().count() < MIN_NAME {
        return text.to_owned();
    }
    let joins = |c: Option<char>| name.is_ascii() && c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let (mut left, mut done) = (String::new(), 0);
    for (at, found) in text.match_indices(name) {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + found.len()..).and_then(|text| text.chars().next());
        if !joins(before) && !joins(after) {
            left.push_str(text.get(done..at).unwrap_or(""));
            left.push_str(NAME);
            done = at + found.len();
        }
    }
    left.push_str(text.get(done..).unwrap_or(""));
    left
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn names_go() {
        let cases = [
            ("order-db is down", "order-db", " 0  is down"),
            ("order-db-2 is down", "order-db", "order-db-2 is down"),
            ("restarted x", "x", "restarted x"),
            ("支付服务响应超时", "支付服务", " 0 响应超时"),
            ("dbs of db", "db", "dbs of  0 "),
        ];
        for (text, name, expected) in cases {
            assert_eq!(without(text, name), expected);
        }
    }
}
