//! Changes that are one: a deployment says little more than the hash of the commit that it brings, and the commit is a change of its own.

use std::collections::BTreeSet;

use super::facts::{Change, Facts};

/// The length of a short hash, and of a long one.
const LENGTHS: std::ops::RangeInclusive<usize> = 7..=64;

impl Change {
    /// The values of it that are hashes.
    fn hashes(&self) -> impl Iterator<Item = &str> {
        self.attributes.values().map(String::as_str).filter(|value| is_hash(value))
    }

    /// What it says besides its kind.
    fn detail(&self) -> Option<&str> {
        self.text.lines().skip(1).last()
    }
}

/// Hexadecimal, and neither a number nor a word.
fn is_hash(text: &str) -> bool {
    LENGTHS.contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_hexdigit())
        && text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().any(|b| b.is_ascii_alphabetic())
}

impl Facts {
    /// Other changes with a hash of this one: the commits that a deployment brings.
    pub fn with_hash_of<'f>(&'f self, change: &'f Change) -> impl Iterator<Item = &'f Change> {
        let hashes: BTreeSet<&str> = change.hashes().collect();
        let others: &[Change] = if hashes.is_empty() { &[] } else { &self.changes };
        others.iter().filter(move |other| other.origin != change.origin && other.hashes().any(|hash| hashes.contains(hash)))
    }

    /// A change in one line: its kind and what it says, else what a change with its hash says.
    pub fn told_in_full(&self, change: &Change) -> String {
        let own = change.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let brought = if change.detail().is_some() { None } else { self.with_hash_of(change).find_map(Change::detail) };
        brought.map_or_else(|| own.clone(), |brought| format!("{own}: {brought}"))
    }

    /// The same without its kind, if it says anything else.
    pub fn told_in_short(&self, change: &Change) -> String {
        change.detail().map_or_else(|| self.told_in_full(change), str::to_owned)
    }
}
