//! Ids for things whose names alone are not unique.

use std::collections::BTreeMap;

/// For each key, its first candidate that no other key has at the same position; the last candidate must be unique.
pub(super) fn unique<K: Ord + Clone>(entries: &[(K, Vec<String>)]) -> BTreeMap<K, String> {
    let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for (_, candidates) in entries {
        for (level, candidate) in candidates.iter().enumerate() {
            *counts.entry((level, candidate.as_str())).or_default() += 1;
        }
    }
    let mut ids = BTreeMap::new();
    for (key, candidates) in entries {
        let alone = candidates.iter().enumerate().find(|(level, candidate)| counts.get(&(*level, candidate.as_str())) == Some(&1));
        if let Some(id) = alone.map(|(_, candidate)| candidate).or_else(|| candidates.last()) {
            ids.insert(key.clone(), id.clone());
        }
    }
    ids
}
