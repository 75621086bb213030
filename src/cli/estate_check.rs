//! `faultscope estate check` and `salvage`: what of a store is whole, and how to get it back.

use std::io::Write;
use std::path::Path;

use diag::one_line;
use words::counted;

use super::context::json;
use super::output::Outcome;
use super::{FINDINGS, OK};
use project::must_exist;
use store::{Health, Part, Salvage, StoreError, shell_word};

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
            (None, Some(entries)) => format!("whole, {}", counted(*entries, "entry")),
            (None, None) => "whole".to_owned(),
        };
        words.push_str(&format!("{}\n", one_line(&format!("{name}: {state}"))));
    }
    words.push_str(&revisions_words(health.revisions, &health.lost_revisions, health.is_whole()));
    let shown = path.display().to_string();
    if !health.can_be_saved && !health.is_whole() {
        let what = health.parts.iter().find_map(|part| part.damage.clone()).unwrap_or_default();
        words.push_str(&format!("{}\n", one_line(&StoreError::Lost { path: shown, what: what.into() }.to_string())));
    } else if !health.is_whole() {
        let salvage = format!("faultscope estate salvage --store {} --to NEW", shell_word(&shown));
        words.push_str(&format!("{}\n", one_line(&format!("`{salvage}` copies what is whole into a new store"))));
    }
    words
}

fn revisions_words(newest: u64, lost: &[u64], whole: bool) -> String {
    if newest == 0 && !whole {
        return "revisions: none can be read\n".to_owned();
    }
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
        let (old, new) = (path.display().to_string(), to.display().to_string());
        let (old, kept, new) = (shell_word(&old), shell_word(&format!("{old}.old")), shell_word(&new));
        writeln!(out, "{}", one_line(&format!("to use the new store: `mv {old} {kept} && mv {new} {old}`")))?;
    }
    Ok(if saved.is_all() { OK } else { FINDINGS })
}

fn saved_words(saved: &Salvage) -> String {
    let Salvage { revisions, lost_revisions, declarations, restored, lost_declarations } = saved;
    let newest = revisions.saturating_add(u64::try_from(lost_revisions.len()).unwrap_or(u64::MAX));
    let mut words = format!("copied {} and {}\n", counted(*revisions, "revision"), counted(*declarations, "declaration"));
    if *restored > 0 {
        let restored = counted(*restored, "item");
        words.push_str(&format!("{restored} taken from the journal, because the declarations are damaged\n"));
    }
    match lost_declarations {
        Some(0) => {}
        Some(lost) => words.push_str(&format!("{} lost: apply the project and the imports again\n", counted(*lost, "declaration"))),
        None => words.push_str("declarations lost, how many is not known: apply the project and the imports again\n"),
    }
    if !lost_revisions.is_empty() {
        words.push_str(&revisions_words(newest, lost_revisions, false));
    }
    if saved.is_all() {
        words.push_str("nothing was lost\n");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{counted, ranges};

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|number| counted(number, "entry")), ["0 entries", "1 entry", "2 entries"]);
        assert_eq!(counted(1, "revision"), "1 revision");
    }

    #[test]
    fn numbers_in_a_row_are_one_range() {
        assert_eq!(ranges(&[1, 4, 5, 6, 9]), "1, 4-6, 9");
        assert_eq!(ranges(&[]), "");
    }
}
