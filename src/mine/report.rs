//! The report of `mine`: proposals with their evidence, and the text of a merge request.

use std::fmt::Write as _;

use diag::{markdown, one_line, visible};
use serde::Serialize;

use super::conflicts::{Overlap, Stand};

/// Maximum number of names per list in comments and text; JSON has all.
const SHOWN: usize = 10;

/// The outcome of mining. The same recordings give the same report.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Recordings that were used, and how many of them show no fault.
    pub incidents: usize,
    pub healthy: usize,
    pub min_support: usize,
    /// 0 to 1.
    pub min_confidence: f64,
    /// Every fault that was confirmed, with the number of its incidents.
    pub labels: Vec<LabelView>,
    pub rules: Vec<Proposal>,
    pub tree: Option<TreeProposal>,
    /// Drafts that rules of the project already cover.
    pub covered: Vec<Covered>,
    /// Promising drafts that were left out, and why.
    pub dropped: Vec<Dropped>,
    /// Recordings that could not be used, and why.
    pub skipped: Vec<Dropped>,
    /// Problems in the journal.
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct LabelView {
    pub fault: String,
    /// The type of the component.
    pub kind: String,
    pub incidents: usize,
}

/// A rule that a person may adopt.
#[derive(Debug, Clone, Serialize)]
pub struct Proposal {
    pub id: String,
    pub fault: String,
    pub kind: String,
    pub conditions: Vec<String>,
    /// The whole block, valid in the project, with `status draft`.
    pub text: String,
    pub evidence: Evidence,
    pub overlaps: Vec<Overlap>,
}

/// What the engine measured.
#[derive(Debug, Clone, Serialize)]
pub struct Evidence {
    /// Incidents in which it matched at the root cause, with this fault.
    pub shown_by: Vec<String>,
    pub counter_examples: Vec<CounterExample>,
    /// Of all incidents, 0 to 1.
    pub support: f64,
    /// shown / (shown + counter-examples), 0 to 1, and its interval of 95% (Wilson).
    pub confidence: f64,
    pub interval: (f64, f64),
    /// How many times more frequent the fault is among the matched incidents than among all.
    pub lift: f64,
    /// Other combinations that match the same incidents.
    pub alike: usize,
    /// An incident in which one condition was missing.
    pub near_miss: Option<String>,
}

/// An incident in which the conditions matched, but the cause was different or there was none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CounterExample {
    pub incident: String,
    /// Where they matched.
    pub at: Vec<String>,
    /// What was at fault.
    pub truth: String,
}

/// A tree that a person may adopt.
#[derive(Debug, Clone, Serialize)]
pub struct TreeProposal {
    pub id: String,
    pub text: String,
    /// Incidents for which it reaches the right fault, a wrong one, or none because the data do not answer a question.
    pub right: Vec<String>,
    pub wrong: Vec<String>,
    pub open: Vec<String>,
    /// How many would be right if the answer were always the most frequent one.
    pub by_chance: usize,
}

/// A draft that rules of the project already cover.
#[derive(Debug, Clone, Serialize)]
pub struct Covered {
    pub fault: String,
    pub kind: String,
    pub conditions: Vec<String>,
    /// The rules that name the cause in all these incidents.
    pub by: Vec<String>,
    pub incidents: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Dropped {
    pub what: String,
    pub why: String,
}

/// `a, b and 3 more`.
pub fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// `67%`.
pub fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

impl Evidence {
    /// The evidence, as lines for comments and for the report.
    pub fn lines(&self, incidents: usize) -> Vec<String> {
        let (low, high) = self.interval;
        let mut lines = vec![
            format!("support     {} of {incidents} incidents ({})", self.shown_by.len(), percent(self.support)),
            format!(
                "confidence  {} ({} for, {} against; 95% interval {} to {}); lift {:.1}",
                percent(self.confidence),
                self.shown_by.len(),
                self.counter_examples.len(),
                percent(low),
                percent(high),
                self.lift
            ),
            format!("matched in  {}", listed(&self.shown_by)),
        ];
        if self.counter_examples.is_empty() {
            lines.push("against     no incident".to_owned());
        }
        for one in self.counter_examples.iter().take(SHOWN) {
            lines.push(format!("against     {}: matched at {}; confirmed: {}", one.incident, listed(&one.at), one.truth));
        }
        if self.counter_examples.len() > SHOWN {
            lines.push(format!("against     {} more", self.counter_examples.len() - SHOWN));
        }
        if let Some(name) = &self.near_miss {
            lines.push(format!("near miss   {name}"));
        }
        if self.alike > 0 {
            lines.push(format!("equivalent  other combinations that match the same incidents: {}", self.alike));
        }
        lines
    }
}

impl TreeProposal {
    /// The engine's measurements, as lines for comments and for the report.
    pub fn lines(right: &[String], wrong: &[String], open: &[String], by_chance: usize) -> Vec<String> {
        let all = right.len() + wrong.len() + open.len();
        let mut lines =
            vec![format!("right       {} of {all} incidents; always giving the most frequent answer is right in {by_chance}", right.len())];
        for (what, names) in [("wrong     ", wrong), ("undecided ", open)] {
            if !names.is_empty() {
                lines.push(format!("{what}  {}", listed(names)));
            }
        }
        lines
    }
}

impl Report {
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.tree.is_none()
    }

    /// The files of the proposal, name and text, by name. All rules have `status draft`. Empty if nothing is proposed.
    pub fn files(&self) -> Vec<(String, String)> {
        if self.is_empty() {
            return Vec::new();
        }
        let rules = self.rules.iter().map(|one| (format!("{}.rules", one.id), one.text.clone()));
        let tree = self.tree.iter().map(|one| (format!("{}.rules", one.id), one.text.clone()));
        rules.chain(tree).chain([("PROPOSAL.md".to_owned(), self.markdown())]).collect()
    }

    /// What is missing before anything can be learned; empty if one fault has enough incidents.
    pub fn wanting(&self) -> String {
        if self.labels.iter().any(|label| label.incidents >= self.min_support) {
            return String::new();
        }
        let most = self.labels.iter().max_by(|a, b| a.incidents.cmp(&b.incidents).then_with(|| b.fault.cmp(&a.fault)));
        let have = most.map_or_else(
            || "no incident has a confirmed cause".to_owned(),
            |label| format!("the most frequent fault, {} ({}), has only {}", label.fault, label.kind, label.incidents),
        );
        format!(
            "Not enough recordings yet: {have}. Needed: recordings of at least {} incidents with the same fault name on components of one \
             type, and some recordings without a fault as counter-examples. A recording counts once its cause is in its \
             `expected.json` or in the feedback journal.",
            self.min_support
        )
    }

    /// The text of a merge request.
    pub fn markdown(&self) -> String {
        let mut page = String::from("# Proposed rules from past incidents\n\n");
        let wanting = self.wanting();
        let healthy = self.healthy;
        let _ = writeln!(
            page,
            "{} incidents were analyzed, {healthy} of them without a fault. Each rule below matched in at least {} of them with a confidence \
             of {} or more, measured by running each draft over all of them. The drafts were learned from these same incidents, so expect \
             lower confidence on new ones. Everything has `status draft`: it is evaluated and reported separately, and names no suspect \
             until you remove that line.\n",
            self.incidents,
            self.min_support,
            percent(self.min_confidence)
        );
        if !wanting.is_empty() {
            let _ = writeln!(page, "{}\n", markdown(&wanting));
        }
        if self.is_empty() {
            page.push_str("No proposals.\n\n");
        }
        for one in &self.rules {
            let title = format!("{} {} ({})", one.id, one.fault, one.kind);
            let _ = writeln!(page, "## {}\n\n{}\n", markdown(&title), rules(&one.text));
            one.evidence.lines(self.incidents).iter().for_each(|line| page.push_str(&item(line)));
            overlaps(&one.overlaps, &mut page);
            trial(one, &mut page);
        }
        if let Some(tree) = &self.tree {
            let _ = writeln!(page, "## {} Which of the known faults is it?\n\n{}\n", tree.id, rules(&tree.text));
            let lines = TreeProposal::lines(&tree.right, &tree.wrong, &tree.open, tree.by_chance);
            lines.iter().for_each(|line| page.push_str(&item(line)));
            if let Some(name) = tree.right.first() {
                let _ = writeln!(page, "- try it: {}", code(&format!("faultscope walk {} --bundle {name}", tree.id)));
            }
            page.push('\n');
        }
        self.rest(&mut page);
        page
    }

    fn rest(&self, page: &mut String) {
        if !self.covered.is_empty() {
            page.push_str("## Already covered\n\n");
            for one in &self.covered {
                let line = format!("{} ({}): {} names it in {}", one.fault, one.kind, one.by.join(", "), listed(&one.incidents));
                let _ = writeln!(page, "- {}: {}", markdown(&line), code(&one.conditions.join(" and ")));
            }
            page.push('\n');
        }
        for (title, list) in [("Left out", &self.dropped), ("Recordings that could not be used", &self.skipped)] {
            if !list.is_empty() {
                let _ = writeln!(page, "## {title}\n");
                list.iter().for_each(|one| page.push_str(&format!("- {}\n", markdown(&format!("{}: {}", one.what, one.why)))));
                page.push('\n');
            }
        }
        let counts: Vec<String> = self.labels.iter().map(|one| format!("{} ({}) {}", one.fault, one.kind, one.incidents)).collect();
        if !counts.is_empty() {
            let _ = writeln!(page, "## Faults\n\n{}", markdown(&counts.join(", ")));
        }
    }
}

/// A line of evidence as a list item, without its column spacing.
fn item(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    format!("- {}\n", markdown(&words.join(" ")))
}

/// Rules as a block of code, without their comments.
fn rules(text: &str) -> String {
    let text: String = text.lines().filter(|line| !line.starts_with('#')).flat_map(|line| [line, "\n"]).collect();
    format!("```rules\n{}```", visible(&text))
}

/// Text as code within a line. A backtick would end it, and cannot be escaped there.
fn code(text: &str) -> String {
    format!("`{}`", one_line(text).replace('`', "'"))
}

fn overlaps(list: &[Overlap], page: &mut String) {
    for one in list {
        let mark = match one.stand {
            Stand::Disagrees => "**conflict**",
            Stand::Covers | Stand::Overlaps => "existing rule",
        };
        let line = format!(
            "{} \"{}\"{} {} (overlap {}): {}",
            one.rule,
            one.title,
            if one.draft { " (draft)" } else { "" },
            one.stand.words(),
            percent(one.jaccard),
            listed(&one.incidents)
        );
        let _ = writeln!(page, "- {mark}: {}", markdown(&line));
    }
}

/// How to try it, and which recordings to keep as its tests: a project's tests are bundles named after the rule.
fn trial(one: &Proposal, page: &mut String) {
    let id = &one.id;
    if let Some(name) = one.evidence.shown_by.first() {
        let _ = writeln!(page, "- try it: {}", code(&format!("faultscope why {id} {name}")));
        let _ = writeln!(page, "- test for a match: copy {} to `tests/incidents/{id}-fires`", code(name));
    }
    let against = one.evidence.counter_examples.first().map(|one| &one.incident);
    match one.evidence.near_miss.as_ref().or(against) {
        Some(name) => {
            let _ = writeln!(page, "- test for a near miss: copy {} to `tests/incidents/{id}-near-miss`", code(name));
        }
        None => page.push_str("- test for a near miss: none of these incidents fits; record or write one before activating the rule\n"),
    }
    page.push('\n');
}
