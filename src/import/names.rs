//! Ids for things that are told apart by more than their names.

use std::collections::BTreeMap;

/// For each key the first of its candidates that no other key has at that place; the last one must be unique by itself.
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
