//! What the project already knows about affected components: rules that may fire, past incidents.
//!
//! A listed rule only *may* fire: it reads something of a component that is affected. Whether its thresholds, joins and windows
//! match depends on signals. A rule that reads nothing of an affected component is left out, and so is one that reads only
//! components at risk.

use std::collections::{BTreeMap, BTreeSet};

use super::assess::names;
use super::view::{CaseView, Read, ReadView, RuleView};
use compile::plan::{Call, Cond, CondKind, Event, EventKind, PlaceOf, Plan, Rule, SetBase, Status, Subject, Target};
use engine::passes;
use estate::{ComponentId, Snapshot};
use knowledge::CaseBase;
use value::Told;

/// What a rule reads of each of its variables.
type Reads = BTreeMap<usize, BTreeSet<Read>>;

/// Active rules that read anything of the components; the complete ones first, then by id.
pub(super) fn rules(plan: &Plan, estate: &Snapshot, hit: &BTreeSet<ComponentId>) -> Vec<RuleView> {
    let mut found: Vec<RuleView> =
        plan.rules.values().filter(|rule| rule.status == Status::Active).filter_map(|rule| view(rule, estate, hit)).collect();
    found.sort_by_key(|view| !view.complete);
    found
}

fn view(rule: &Rule, estate: &Snapshot, hit: &BTreeSet<ComponentId>) -> Option<RuleView> {
    let mut complete = true;
    let mut components: BTreeSet<ComponentId> = BTreeSet::new();
    let mut read: BTreeSet<ReadView> = BTreeSet::new();
    for (variable, what) in reads(rule) {
        let Some(variable) = rule.variables.get(variable) else { continue };
        let fits = |id: &&ComponentId| {
            estate.is_a(**id, &variable.kind) && variable.filter.as_ref().is_none_or(|filter| passes(estate, filter, **id))
        };
        let fitting: Vec<ComponentId> = hit.iter().filter(fits).copied().collect();
        if fitting.is_empty() {
            complete = false;
            continue;
        }
        components.extend(fitting);
        read.extend(what.into_iter().map(|what| ReadView { kind: variable.kind.clone(), what }));
    }
    if components.is_empty() {
        return None;
    }
    let components: Vec<ComponentId> = components.into_iter().collect();
    Some(RuleView {
        rule: rule.id.clone(),
        title: rule.title.clone(),
        complete,
        components: names(estate, &components),
        reads: read.into_iter().map(Told::from).collect(),
    })
}

fn reads(rule: &Rule) -> Reads {
    let mut reads = Reads::new();
    let mut open: Vec<&Cond> = vec![&rule.condition];
    while let Some(cond) = open.pop() {
        open.extend(cond.children());
        of_condition(cond, &mut reads);
    }
    reads
}

fn note(reads: &mut Reads, subject: Subject, read: Read) {
    match subject {
        Subject::Variable(variable) => {
            reads.entry(variable).or_default().insert(read);
        }
        // The element of a set: which components these are depends on the binding.
        Subject::It => {}
    }
}

fn of_condition(cond: &Cond, reads: &mut Reads) {
    // Attributes do not change while something is restarted.
    for metric in cond.metrics().into_iter().chain(cond.calls().into_iter().flat_map(Call::metrics)) {
        note(reads, metric.subject, Read::Metric { metric: metric.name.clone() });
    }
    match &cond.kind {
        CondKind::State { subject, state, .. } => note(reads, *subject, Read::State { state: state.clone() }),
        CondKind::Event(event) => of_event(event, reads),
        CondKind::Probe { from, to, .. } => {
            for place in from.iter().chain(to) {
                of_place(place, Read::Probe, reads);
            }
        }
        CondKind::Quantified(quantified) => {
            let around = |subject: Subject, reads: &mut Reads| note(reads, subject, Read::Neighbors);
            match &quantified.set.base {
                SetBase::PeersInEstate(of) | SetBase::PeersIn { of, .. } | SetBase::PeersInGroup(of) | SetBase::Instances { of, .. } => {
                    around(*of, reads);
                }
                SetBase::Walk { of, .. } | SetBase::Held(of) => of_place(of, Read::Neighbors, reads),
                SetBase::Group(_) | SetBase::Type(_) => {}
            }
        }
        CondKind::Compare { .. }
        | CondKind::Trend { .. }
        | CondKind::Baseline { .. }
        | CondKind::Script(_)
        | CondKind::Or(_)
        | CondKind::And(_)
        | CondKind::Not(_)
        | CondKind::Held { .. }
        | CondKind::Unexplained(_)
        | CondKind::Link { .. }
        | CondKind::Shares { .. } => {}
    }
}

fn of_event(event: &Event, reads: &mut Reads) {
    let read = |near: bool| match event.kind {
        EventKind::Alert => Read::Alert { near },
        EventKind::Log => Read::Log { near },
        EventKind::Change => Read::Change { near },
        EventKind::Report => Read::Report { near },
        EventKind::Event => Read::Event { near },
    };
    match &event.on {
        None => {}
        Some(Target::Place(place)) => of_place(place, read(false), reads),
        Some(Target::Set(set)) => match &set.base {
            SetBase::PeersInEstate(of) | SetBase::PeersIn { of, .. } | SetBase::PeersInGroup(of) | SetBase::Instances { of, .. } => {
                note(reads, *of, read(true));
            }
            SetBase::Walk { of, .. } | SetBase::Held(of) => of_place(of, read(true), reads),
            SetBase::Group(_) | SetBase::Type(_) => {}
        },
    }
}

fn of_place(place: &PlaceOf, read: Read, reads: &mut Reads) {
    match place {
        PlaceOf::Subject(subject) => note(reads, *subject, read),
        PlaceOf::Holder { .. } | PlaceOf::Component(_) => {}
    }
}

/// Past incidents that name one of the components; those first whose root cause is in the plan, then the newest, then by id.
pub(super) fn cases(base: &CaseBase, estate: &Snapshot, hands_on: &BTreeSet<ComponentId>, hit: &BTreeSet<ComponentId>) -> Vec<CaseView> {
    let mut found = Vec::new();
    for case in base.cases() {
        let cause = case.root.as_ref().and_then(|root| root.component.as_deref()).and_then(|id| estate.find(id));
        let named: BTreeSet<ComponentId> =
            case.affected.iter().filter_map(|id| estate.find(id)).chain(cause).filter(|id| hit.contains(id)).collect();
        if named.is_empty() {
            continue;
        }
        let named: Vec<ComponentId> = named.into_iter().collect();
        found.push(CaseView {
            id: case.id.clone(),
            title: case.title.clone(),
            date: case.date,
            components: names(estate, &named),
            root: cause.is_some_and(|cause| hands_on.contains(&cause)),
            root_cause: case.root.as_ref().map(|root| root.fault.clone()),
            rule: case.rule.clone(),
        });
    }
    found.sort_by(|a, b| b.root.cmp(&a.root).then(b.date.cmp(&a.date)).then_with(|| a.id.cmp(&b.id)));
    found
}
