//! `faultscope estate check` and `salvage`: what of a store is whole, and how to get it back.

use std::io::Write;
use std::path::Path;

use diag::one_line;

use super::context::json;
use super::output::Outcome;
use super::{FINDINGS, OK};
use project::must_exist;
use store::{Health, Part, Salvage};

pub(super) fn check(path: &Path, as_json: bool, out: &mut impl Write) -> Outcome {
    must_exist(path)?;
    let health = store::check(path)?;
    if as_json {
        writeln!(out, "{}", json(&health)?)?;
    } else {
        write!(out, "{}", health_words(&health, path))?;
    }
    Ok(if health.is_whole() { OK } else { FINDINGS })
}

fn health_words(health: &Health, path: &Path) -> String {
    let mut words = String::new();
    for Part { name, entries, damage } in &health.parts {
        let state = match (damage, entries) {
            (Some(damage), _) => format!("damaged: {damage}"),
            (None, Some(entries)) => format!("whole, {entries} entries"),
            (None, None) => "whole".to_owned(),
        };
        words.push_str(&format!("{}\n", one_line(&format!("{name}: {state}"))));
    }
    words.push_str(&revisions_words(health.revisions, &health.lost_revisions));
    if !health.is_whole() {
        let path = one_line(&path.display().to_string()).to_string();
        words.push_str(&format!("`faultscope estate salvage --store {path} --to NEW` copies what is whole into a new store\n"));
    }
    words
}

fn revisions_words(newest: u64, lost: &[u64]) -> String {
    if lost.is_empty() {
        return format!("revisions: all {newest} whole\n");
    }
    format!("revisions: {} of {newest} not whole: {}\n", lost.len(), ranges(lost))
}

/// Numbers in order as `1, 4-7`.
fn ranges(numbers: &[u64]) -> String {
    let runs = numbers.chunk_by(|a, b| a.saturating_add(1) == *b);
    let runs = runs.filter_map(|run| match run {
        [] => None,
        [one] => Some(one.to_string()),
        [first, .., last] => Some(format!("{first}-{last}")),
    });
    runs.collect::<Vec<_>>().join(", ")
}

pub(super) fn salvage(path: &Path, to: &Path, as_json: bool, out: &mut impl Write) -> Outcome {
    must_exist(path)?;
    let saved = store::salvage(path, to)?;
    if as_json {
        writeln!(out, "{}", json(&saved)?)?;
    } else {
        write!(out, "{}", saved_words(&saved))?;
    }
    Ok(if saved.is_all() { OK } else { FINDINGS })
}

fn saved_words(saved: &Salvage) -> String {
    let Salvage { revisions, lost_revisions, declarations, restored, lost_declarations } = saved;
    let newest = revisions.saturating_add(u64::try_from(lost_revisions.len()).unwrap_or(u64::MAX));
    let mut words = format!("copied {revisions} revisions and {declarations} declarations\n");
    if *restored > 0 {
        words.push_str(&format!("{restored} items taken from the journal, because their declarations are damaged\n"));
    }
    if *lost_declarations > 0 {
        words.push_str(&format!("{lost_declarations} declarations lost: apply the project and the imports again\n"));
    }
    if !lost_revisions.is_empty() {
        words.push_str(&revisions_words(newest, lost_revisions));
    }
    if saved.is_all() {
        words.push_str("nothing was lost\n");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn numbers_in_a_row_are_one_range() {
        assert_eq!(ranges(&[1, 4, 5, 6, 9]), "1, 4-6, 9");
        assert_eq!(ranges(&[]), "");
    }
}
