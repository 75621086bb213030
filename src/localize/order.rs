//! The order of the suspects of an incident: what must not stand below another.

use std::collections::BTreeSet;

use anomaly::Ranked;
use estate::ComponentId;
use value::Time;

use super::connected::closure;
use super::explain::IncidentDraft;
use super::proposal::{Proposal, TOLERANCE};
use super::{Layer, Observations};

/// Where alerts alone speak, scores leave as much to an unknown cause as to the best suspect. What is above a third is then likelier than
/// all other suspects together.
const CONVINCING: f64 = 1.0 / 3.0;

/// When the last of those that last began.
pub fn newest<'p>(proposals: impl Iterator<Item = &'p Proposal>) -> Option<Time> {
    proposals.filter(|one| !one.is_past()).map(|one| one.onset).max()
}

/// Whether one proposal must not stand below another: it explains more, began no later, is still on if the other is, and is not its
/// symptom.
pub fn beats(one: &Proposal, other: &Proposal, explains: &impl Fn(&Proposal) -> usize) -> bool {
    let symptom = other.causes(one);
    let on = !one.is_past() || other.is_past();
    !symptom && on && one.onset <= other.onset.plus(TOLERANCE) && explains(one) > explains(other)
}

/// Whether one proposal takes the place of another that stands above it: it beats it. Scores take the place of a rule or a case only with
/// what may have brought that about, and is likelier than their other guesses. What they have beside it is a fault of its own.
fn displaces(observations: &Observations<'_, '_>, draft: &IncidentDraft, one: &Proposal, other: &Proposal) -> bool {
    let explains = |p: &Proposal| draft.explained_by(p, &observations.symptoms);
    if one.silent || !beats(one, other, &explains) {
        return false;
    }
    let Some((scored, component)) = one.scores().zip(other.component) else { return true };
    let deeper = deeper(observations, component);
    let may = |scored: &Ranked| scored.members.iter().any(|member| deeper.contains(member));
    let guesses = draft.roots().map(|told| &told.proposal).filter(|guess| beats(guess, other, &explains));
    let together: f64 = guesses.filter_map(Proposal::scores).filter(|scored| may(scored)).map(|scored| scored.confidence).sum();
    may(scored) && together > CONVINCING
}

/// What may bring about a fault of a component, by ways that do not lead through what depends on it: in a circle of dependencies, a fault
/// would otherwise come from its own effects.
fn deeper(observations: &Observations<'_, '_>, component: ComponentId) -> BTreeSet<ComponentId> {
    let estate = observations.question.engine.estate;
    let effects: BTreeSet<ComponentId> = estate.dependents(component, &[], None).into_iter().map(|reached| reached.component).collect();
    let instances = |at: ComponentId| estate.instances_of(at).into_iter().map(|instance| instance.component);
    let below = |at: ComponentId| estate.next_to(at, &[], false).into_iter().chain(instances(at)).collect::<Vec<ComponentId>>();
    let start: BTreeSet<ComponentId> = estate.below_workloads(component).into_iter().chain([component]).collect();
    closure(&start, |at| if at != component && effects.contains(&at) { Vec::new() } else { below(at) })
}

/// The final order of roots: what lasts first, a silent case last, else by layer, each in its own order; but nothing above what displaces it.
pub fn rank(observations: &Observations<'_, '_>, draft: &mut IncidentDraft) {
    let at = |index: usize| draft.told.get(index).map(|told| &told.proposal);
    let mut order: Vec<usize> = draft.told.iter().enumerate().filter(|(_, told)| told.consequence_of.is_none()).map(|(at, _)| at).collect();
    let newest = newest(draft.roots().map(|told| &told.proposal));
    order.sort_by_key(|index| at(*index).map(|p| (p.stands_back(newest), p.silent, p.layer)));
    // Bubble what beats its neighbour upwards; the order of scores is their own.
    let mut moved = true;
    let mut rounds = order.len();
    while moved && rounds > 0 {
        moved = false;
        rounds -= 1;
        for place in 1..order.len() {
            let pair = order.get(place - 1).copied().zip(order.get(place).copied());
            let wins = pair.and_then(|(above, below)| at(above).zip(at(below))).is_some_and(|(above, below)| {
                (above.layer, below.layer) != (Layer::Anomaly, Layer::Anomaly) && displaces(observations, draft, below, above)
            });
            if wins {
                order.swap(place - 1, place);
                moved = true;
            }
        }
    }
    // What an earlier root brings about, and did not come from the same scores, is its consequence.
    let mut consequences: Vec<(usize, usize)> = Vec::new();
    for (place, index) in order.iter().enumerate() {
        let causes = |above: &&usize| {
            at(**above)
                .zip(at(*index))
                .is_some_and(|(above, one)| above.layer != one.layer && one.layer == Layer::Expert && above.causes(one))
        };
        if let Some(cause) = order.iter().take(place).find(causes) {
            consequences.push((*index, *cause));
        }
    }
    for (index, cause) in &consequences {
        if let Some(told) = draft.told.get_mut(*index) {
            told.consequence_of = Some(*cause);
        }
    }
    order.retain(|index| consequences.iter().all(|(at, _)| at != index));
    draft.reorder(&order);
}
