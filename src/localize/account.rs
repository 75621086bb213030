//! Accounts for every signal. A test checks that the sums add up.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use engine::SignalRef;
use estate::ComponentId;
use signal::UnplacedGroup;

use super::Observations;
use super::diagnosis::{AccountView, UnplacedView};
use super::explain::IncidentDraft;
use super::symptoms::Symptom;

/// One line for each kind of signal in the bundle.
pub fn account(observations: &Observations<'_, '_>, drafts: &[IncidentDraft], open: &[usize]) -> Vec<AccountView> {
    let (facts, counts) = (observations.question.engine.facts, observations.question.counts);
    let mut explained: BTreeSet<SignalRef> = BTreeSet::new();
    for draft in drafts {
        for index in draft.explained() {
            explained.extend(observations.symptoms.get(index).into_iter().flat_map(|s: &Symptom| s.signals.iter().copied()));
        }
        for told in &draft.told {
            explained.extend(told.proposal.evidence.iter().copied());
        }
    }
    let mut unexplained: BTreeSet<SignalRef> =
        open.iter().filter_map(|i| observations.symptoms.get(*i)).flat_map(|s| s.signals.iter().copied()).collect();
    unexplained.retain(|s| !explained.contains(s));

    let line = |kind: &str, counts: &signal::KindCounts, places: Vec<Option<ComponentId>>, signal: fn(usize) -> SignalRef| {
        let refs = || (0..places.len()).map(signal);
        let explained = refs().filter(|s| explained.contains(s)).count();
        let unexplained = refs().filter(|s| unexplained.contains(s)).count();
        AccountView {
            kind: kind.to_owned(),
            received: counts.received,
            explained,
            unexplained,
            quiet: places.len() - explained - unexplained,
            duplicates: counts.duplicates + counts.merged,
            set_aside: counts.rejected.values().sum(),
            unplaced: places.iter().filter(|p| p.is_none()).count(),
        }
    };
    let mut lines = vec![
        line("alerts", &counts.alerts, facts.alerts.iter().map(|s| s.component).collect(), SignalRef::Alert),
        line("metric series", &counts.series, facts.series.iter().map(|s| s.component).collect(), SignalRef::Series),
        line("log lines", &counts.logs, facts.logs.iter().map(|s| s.component).collect(), SignalRef::Log),
        line("changes", &counts.changes, facts.changes.iter().map(|s| s.component).collect(), SignalRef::Change),
        line("probes", &counts.probes, facts.probes.iter().map(|s| s.component).collect(), SignalRef::Probe),
        line("reports", &counts.reports, facts.reports.iter().map(|s| s.component).collect(), SignalRef::Report),
        line("other events", &counts.other_events, Vec::new(), SignalRef::Change),
    ];
    // A score is evidence for a suspect, but needs no explanation itself.
    lines.push(AccountView {
        kind: "scores".to_owned(),
        received: counts.scores.received,
        explained: 0,
        unexplained: 0,
        quiet: facts.scores.len(),
        duplicates: counts.scores.duplicates + counts.scores.merged,
        set_aside: counts.scores.rejected.values().sum(),
        unplaced: facts.scores.iter().filter(|score| score.component.is_none()).count(),
    });
    // Next to the series derived from them.
    lines.insert(2, spans(&counts.spans));
    lines.retain(|l| l.received > 0);
    lines
}

/// Why signals fit no component, the most frequent reason first.
pub fn unplaced(observations: &Observations<'_, '_>) -> Vec<UnplacedView> {
    let groups = observations.question.engine.facts.unplaced.values();
    let view = |group: &UnplacedGroup| UnplacedView {
        reason: group.why.clone().into(),
        remedy: None,
        count: group.count,
        origin: group.first.clone(),
    };
    let mut views: Vec<UnplacedView> = groups.map(view).collect();
    views.sort_by_key(|view| Reverse(view.count));
    views
}

/// Spans themselves are neither explained nor unexplained: the series derived from them are.
fn spans(counts: &signal::KindCounts) -> AccountView {
    AccountView {
        kind: "spans".to_owned(),
        received: counts.received,
        explained: 0,
        unexplained: 0,
        quiet: counts.kept,
        duplicates: counts.duplicates + counts.merged,
        set_aside: counts.rejected.values().sum(),
        unplaced: counts.unplaced,
    }
}
