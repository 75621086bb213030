//! Selects the measured drafts that are worth reviewing.

use std::collections::{BTreeMap, BTreeSet};

use compile::plan::Tree;
use project::Project;

use super::associate::confidence;
use super::conflicts::{Existing, Ids, Overlap, Stand};
use super::draft::{Draft, Parsed, TreeDraft};
use super::itemsets::{number, wilson};
use super::measure::{Held, Measured};
use super::report::{CounterExample, Covered, Dropped, Evidence, Proposal, TreeProposal, percent};
use super::transactions::{Incident, Label};
use super::{A_TREE, Settings};

/// Maximum number of rules for one fault. Each must match an incident that the ones before it do not.
const MAX_PER_LABEL: usize = 3;

/// What drafts are compared with.
pub struct Ground<'a> {
    pub project: &'a Project,
    pub incidents: &'a [Incident],
    pub labels: &'a BTreeMap<Label, BTreeSet<usize>>,
    pub existing: &'a Existing,
    pub settings: Settings,
}

/// The outcome of the selection.
#[derive(Debug, Default)]
pub struct Selected {
    pub rules: Vec<Proposal>,
    pub covered: Vec<Covered>,
    pub dropped: Vec<Dropped>,
}

impl Ground<'_> {
    fn names(&self, at: impl IntoIterator<Item = usize>) -> Vec<String> {
        at.into_iter().filter_map(|at| self.incidents.get(at)).map(|one| one.name.clone()).collect()
    }
}

/// For each label the most certain drafts, each of which matches a new incident.
pub fn rules(ground: &Ground<'_>, drafts: &[(String, Draft)], measured: &Measured, ids: &mut Ids) -> Selected {
    let mut selected = Selected::default();
    let nothing = Held::default();
    for label in ground.labels.keys() {
        let of_label = drafts.iter().filter(|(_, draft)| draft.association.label == *label);
        let mut judged: Vec<(&Draft, &Held)> = of_label.map(|(id, draft)| (draft, measured.held.get(id).unwrap_or(&nothing))).collect();
        let sure = |held: &Held| wilson(held.right.len(), held.right.len() + held.wrong.len()).0;
        // Stable: equals stay in the order in which they were drafted.
        judged.sort_by(|a, b| sure(b.1).total_cmp(&sure(a.1)));
        let good = |held: &Held| {
            held.right.len() >= ground.settings.min_support.max(1)
                && confidence(held.right.len(), held.wrong.len()) >= ground.settings.min_confidence
        };
        let mut shown: BTreeSet<usize> = BTreeSet::new();
        let mut taken = 0;
        for (draft, held) in &judged {
            if taken == MAX_PER_LABEL || !good(held) || held.right.is_subset(&shown) {
                continue;
            }
            taken += 1;
            shown.extend(&held.right);
            let overlaps = ground.existing.against(held, ground.incidents);
            if overlaps.iter().any(|one| one.stand == Stand::Covers) {
                selected.covered.push(covered(ground, draft, held, &overlaps));
            } else {
                propose(ground, draft, held, overlaps, ids, &mut selected);
            }
        }
        if let (0, Some((draft, held))) = (taken, judged.first()) {
            selected.dropped.push(Dropped { what: label.to_string(), why: too_little(draft, held) });
        }
    }
    selected
}

fn too_little(draft: &Draft, held: &Held) -> String {
    format!(
        "its best draft, `{}`, matched at the root cause in {} incidents and elsewhere in {} (confidence {})",
        draft.conditions.join(" and "),
        held.right.len(),
        held.wrong.len(),
        percent(confidence(held.right.len(), held.wrong.len()))
    )
}

fn covered(ground: &Ground<'_>, draft: &Draft, held: &Held, overlaps: &[Overlap]) -> Covered {
    let label = &draft.association.label;
    Covered {
        fault: label.fault.clone(),
        kind: label.kind.clone(),
        conditions: draft.conditions.clone(),
        by: overlaps.iter().filter(|one| one.stand == Stand::Covers).map(|one| one.rule.clone()).collect(),
        incidents: ground.names(held.right.iter().copied()),
    }
}

/// Adds the proposal, unless the text that would be written is not valid.
fn propose(ground: &Ground<'_>, draft: &Draft, held: &Held, overlaps: Vec<Overlap>, ids: &mut Ids, selected: &mut Selected) {
    let id = ids.next(draft.prefix());
    let evidence = evidence(ground, draft, held);
    let mut comments = vec!["Proposed by `faultscope mine`; not reviewed yet.".to_owned()];
    comments.extend(evidence.lines(ground.incidents.len()));
    let text = draft.text(&id, &comments);
    let label = &draft.association.label;
    if let Some(why) = Parsed::new([(id.as_str(), text.as_str())]).checked(ground.project).refusal(&id, &id) {
        selected.dropped.push(Dropped { what: label.to_string(), why: format!("its draft is not a valid rule: {why}") });
        return;
    }
    let (fault, kind, conditions) = (label.fault.clone(), label.kind.clone(), draft.conditions.clone());
    selected.rules.push(Proposal { id, fault, kind, conditions, text, evidence, overlaps });
}

fn evidence(ground: &Ground<'_>, draft: &Draft, held: &Held) -> Evidence {
    let (right, wrong) = (held.right.len(), held.wrong.len());
    let of_label = ground.labels.get(&draft.association.label).map_or(0, BTreeSet::len);
    let confidence = confidence(right, wrong);
    let counter_example = |(at, components): (&usize, &BTreeSet<String>)| {
        let one = ground.incidents.get(*at)?;
        Some(CounterExample { incident: one.name.clone(), at: components.iter().cloned().collect(), truth: one.truth() })
    };
    Evidence {
        shown_by: ground.names(held.right.iter().copied()),
        counter_examples: held.wrong.iter().filter_map(counter_example).collect(),
        support: number(right) / number(ground.incidents.len().max(1)),
        confidence,
        interval: wilson(right, right + wrong),
        lift: confidence * number(ground.incidents.len()) / number(of_label.max(1)),
        alike: draft.association.alike,
        near_miss: near_miss(ground, draft, held),
    }
}

/// The first incident in which the rule did not match because some component lacked just one of its items.
fn near_miss(ground: &Ground<'_>, draft: &Draft, held: &Held) -> Option<String> {
    let association = &draft.association;
    let model = ground.project.estate.model();
    let lacks_one = |one: &Incident| {
        let rows = one.rows.iter().filter(|row| model.is_a(&row.kind, &association.label.kind));
        let mut counts = rows.map(|row| association.items.iter().filter(|item| row.items.contains_key(*item)).count());
        counts.any(|count| count > 0 && count + 1 == association.items.len())
    };
    let quiet = |at: &usize| !held.right.contains(at) && !held.wrong.contains_key(at);
    let others = ground.incidents.iter().enumerate().filter(|(at, _)| quiet(at));
    others.map(|(_, one)| one).find(|one| lacks_one(one)).map(|one| one.name.clone())
}

/// The tree, if it is right more often than always giving the most frequent verdict.
pub fn tree_proposal(
    ground: &Ground<'_>,
    tree: &TreeDraft,
    measured: &Measured,
    ids: &mut Ids,
    dropped: &mut Vec<Dropped>,
) -> Option<TreeProposal> {
    let (mut right, mut wrong, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for (at, one) in ground.incidents.iter().enumerate() {
        let said = measured.verdicts.get(&at).and_then(|verdict| tree.verdicts.get(verdict));
        let ends = match said {
            None => &mut open,
            Some(None) if one.roots.is_empty() => &mut right,
            Some(Some(label)) if one.roots.values().any(|root| root == label) => &mut right,
            Some(None | Some(_)) => &mut wrong,
        };
        ends.push(one.name.clone());
    }
    let healthy = ground.incidents.iter().filter(|one| one.roots.is_empty()).count();
    let by_chance = ground.labels.values().map(BTreeSet::len).chain([healthy]).max().unwrap_or(0);
    if right.len() <= by_chance {
        let why = format!(
            "it is right in {} of {} incidents; always giving the most frequent answer is right in {by_chance}",
            right.len(),
            ground.incidents.len()
        );
        dropped.push(Dropped { what: A_TREE.to_owned(), why });
        return None;
    }
    let id = ids.next("TREE");
    let mut comments = vec!["Proposed by `faultscope mine`; not reviewed yet.".to_owned()];
    comments.extend(TreeProposal::lines(&right, &wrong, &open, by_chance));
    comments.extend(tree.ends.iter().map(|end| format!("end         {end}")));
    let text = tree.text(&id, &comments);
    let parsed = Parsed::new([(id.as_str(), text.as_str())]);
    let checked = parsed.checked(ground.project);
    let same = |known: &&Tree| checked.tree(&id).is_some_and(|tree| tree.root == known.root && tree.nodes == known.nodes);
    let refusal = checked.refusal(&id, &id).map(|why| format!("it is not a valid tree: {why}"));
    let known = ground.project.plan.trees.values().find(same).map(|known| format!("`{}` already asks the same questions", known.id));
    if let Some(why) = refusal.or(known) {
        dropped.push(Dropped { what: A_TREE.to_owned(), why });
        return None;
    }
    Some(TreeProposal { id, text, right, wrong, open, by_chance })
}
