//! From proposals to incidents: the fewest proposals that explain the most, under the laws of an answer.
//!
//! The proposal of a rule whose new symptoms weigh most, times how far it can be trusted, comes first; what it explains is taken away;
//! and so on (the greedy algorithm for weighted set cover, which stays within a factor of ln n of the best: V. Chvátal, A greedy
//! heuristic for the set-covering problem, 1979). A proposal that an earlier one brings about is a consequence of it. What rules leave
//! open is offered to the cases, then to the scores. In the end no proposal stands above another one that explains more, began no
//! later, and is not its symptom.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use anomaly::{MOST_SURE, Ranked};

use compile::plan::Severity;
use engine::SignalRef;
use estate::ComponentId;
use value::Time;

use super::connected::{closure, clusters, find, union};
use super::proposal::{Basis, Proposal, TOLERANCE};
use super::symptoms::{Kind, Symptom};
use super::{Layer, Observations, cases, harmless, rules, scores};

/// Maximum number of incidents. The rest is ranked together: so many unconnected alerts have one common cause or none.
const MAX_CLUSTERS: usize = 30;
/// The minimum confidence of a suspect without anomalies of its own, and of one with anomalies.
const WORTH_NAMING: f64 = 0.1;
const WORTH_A_LINE: f64 = 0.01;
/// Three anomalous suspects are named, however certain the first one is: a wrong first suspect must not hide the others.
const ALWAYS_NAMED: usize = 3;
/// A longer list of suspects does not help.
const MAX_SUSPECTS: usize = 5;
/// Where alerts alone speak, scores leave as much to an unknown cause as to the best suspect. What is above a third is then likelier than
/// all other suspects together.
const CONVINCING: f64 = 1.0 / 3.0;
/// Suspects of scores whose confidence differs by less than this share are alike: nothing tells them apart.
const ALIKE: f64 = 0.02;

/// A proposal with its place in an incident.
#[derive(Debug, Clone)]
pub struct Told {
    pub proposal: Proposal,
    /// The symptoms assigned to it; each belongs to one proposal.
    pub explains: Vec<usize>,
    /// The position in its incident of the proposal that brings this one about.
    pub consequence_of: Option<usize>,
}

impl Told {
    fn root(proposal: Proposal) -> Told {
        Told { proposal, explains: Vec::new(), consequence_of: None }
    }
}

/// An incident before it is turned into output.
#[derive(Debug, Clone, Default)]
pub struct IncidentDraft {
    /// Roots first, in rank order, then their consequences.
    pub told: Vec<Told>,
    /// Symptoms that belong to it, explained or not.
    pub symptoms: BTreeSet<usize>,
    pub similar: Vec<knowledge::Similar>,
    /// Components that nothing tells apart from the first suspect, itself included; empty if it stands out.
    pub alike: Vec<ComponentId>,
}

impl IncidentDraft {
    pub fn layer(&self) -> Option<Layer> {
        self.told.first().map(|told| told.proposal.layer)
    }

    pub fn roots(&self) -> impl Iterator<Item = &Told> {
        self.told.iter().filter(|told| told.consequence_of.is_none())
    }

    /// Symptoms that one of its suspects explains.
    pub fn explained(&self) -> BTreeSet<usize> {
        self.told.iter().flat_map(|told| &told.explains).copied().collect()
    }

    /// Symptoms of it that need an explanation.
    pub fn calling<'s>(&self, symptoms: &'s [Symptom]) -> impl Iterator<Item = &'s Symptom> {
        self.symptoms.iter().filter_map(|i| symptoms.get(*i)).filter(|symptom| symptom.calls_for_help())
    }

    /// Those of them that its suspects explain; all, if they explain none. What else is near is not its own.
    pub fn own<'s>(&self, symptoms: &'s [Symptom]) -> Vec<&'s Symptom> {
        let explained = self.explained();
        let own: Vec<&Symptom> = explained.iter().filter_map(|i| symptoms.get(*i)).filter(|s| s.calls_for_help()).collect();
        if own.is_empty() { self.calling(symptoms).collect() } else { own }
    }

    /// Whether nothing of it lasts: neither a root suspect nor an alert.
    pub fn is_over(&self, symptoms: &[Symptom]) -> bool {
        !self.told.is_empty()
            && self.roots().all(|told| told.proposal.until().is_some())
            && !self.calling(symptoms).any(|symptom| symptom.kind == Kind::Alert && symptom.end.is_none())
    }

    /// Whether its suspects account for what a proposal blames: one is at the same component, or brings that about, or rests on it. They
    /// do not as long as a symptom of that component is open, nor for what came after they were over and is open.
    fn accounts_for(&self, proposal: &Proposal, open: &[&Symptom]) -> bool {
        if open.iter().any(|symptom| symptom.component.is_some() && symptom.component == proposal.component) {
            return false;
        }
        self.told.iter().map(|told| &told.proposal).any(|told| {
            let shows = |c: ComponentId| told.layer == Layer::Expert && told.affected.contains(&c);
            let later = |over: Time| open.iter().any(|symptom| symptom.onset > over && proposal.explains(symptom));
            let left_behind = || told.is_past() && told.until().is_some_and(later);
            let same = told.component == proposal.component || told.causes(proposal) || proposal.component.is_some_and(shows);
            same && !left_behind()
        })
    }

    /// How many of its symptoms that need an explanation a proposal explains.
    pub fn explained_by(&self, proposal: &Proposal, symptoms: &[Symptom]) -> usize {
        self.calling(symptoms).filter(|symptom| proposal.explains(symptom)).count()
    }
}

/// Forms incidents, the most important first.
pub fn form(observations: &Observations<'_, '_>) -> Vec<IncidentDraft> {
    let symptoms = &observations.symptoms;
    let proposals = rules::propose(observations);
    let mut drafts = grouped(&cover(&proposals, symptoms), symptoms);
    let taken: BTreeSet<usize> = drafts.iter().flat_map(|d| d.symptoms.iter().copied()).collect();
    let loose: Vec<usize> =
        (0..symptoms.len()).filter(|i| !taken.contains(i) && symptoms.get(*i).is_some_and(Symptom::calls_for_help)).collect();
    let mut areas: Vec<BTreeSet<ComponentId>> = drafts.iter().map(|draft| area(observations, draft)).collect();
    let mut others: Vec<Vec<usize>> = Vec::new();
    for cluster in clusters(observations, &loose) {
        // Symptoms upstream of an incident that rules explain, or reached by it, belong to it; they may show its deeper cause. Upstream of
        // several, they make them one.
        let on = |area: &BTreeSet<ComponentId>| cluster.iter().filter_map(|i| symptoms.get(*i)?.component).any(|c| area.contains(&c));
        let mut touched: Vec<usize> = areas.iter().enumerate().filter(|(_, area)| on(area)).map(|(at, _)| at).collect();
        // What began later is no common cause of them.
        let began = cluster.iter().filter_map(|i| symptoms.get(*i)).map(|s| s.onset).min();
        let later =
            |draft: &IncidentDraft| draft.roots().any(|told| began.is_some_and(|began| began > told.proposal.onset.plus(TOLERANCE)));
        if touched.iter().filter_map(|at| drafts.get(*at)).any(later) {
            touched.truncate(1);
        }
        for other in touched.iter().skip(1).rev() {
            let (draft, area) = (drafts.remove(*other), areas.remove(*other));
            if let Some((into, reach)) = touched.first().and_then(|first| drafts.get_mut(*first).zip(areas.get_mut(*first))) {
                into.merge(draft);
                reach.extend(area);
            }
        }
        match touched.first().and_then(|first| drafts.get_mut(*first)) {
            Some(draft) => draft.symptoms.extend(cluster),
            // Information calls nobody: it stays unexplained, unless something worse is beside it.
            None if cluster.iter().filter_map(|i| symptoms.get(*i)).all(|s| s.severity == Severity::Info) => {}
            None => others.push(cluster),
        }
    }
    let mut ranked: Vec<Option<Vec<Proposal>>> = drafts.iter().map(|_| None).collect();
    for (cluster, proposals) in joined(observations, others) {
        drafts.push(IncidentDraft { symptoms: cluster.into_iter().collect(), ..IncidentDraft::default() });
        ranked.push(Some(proposals));
    }
    if drafts.is_empty() {
        drafts.push(IncidentDraft::default());
        ranked.push(None);
    }
    let mut taken: BTreeSet<usize> = drafts.iter().flat_map(IncidentDraft::explained).collect();
    for (draft, ranked) in drafts.iter_mut().zip(ranked) {
        complete(observations, draft, ranked, &mut taken);
    }
    drafts.retain(|d| !d.told.is_empty() && !harmless::is_harmless(observations, d));
    sort(observations, &mut drafts);
    drafts
}

/// What is still on comes first, then what is most severe, then what rules know, then what matters most, then what is most certain.
fn sort(observations: &Observations<'_, '_>, drafts: &mut [IncidentDraft]) {
    let symptoms = &observations.symptoms;
    let severity = |d: &IncidentDraft| super::assemble::severity(observations, d);
    let first = |d: &IncidentDraft| d.told.first().map(|told| (told.proposal.strength, told.proposal.component));
    let surer = |d: &IncidentDraft| first(d).map_or(0.0, |(strength, _)| strength);
    let facts = observations.question.engine.facts;
    let importance = |d: &IncidentDraft| {
        let told = d.calling(symptoms).map(|s| s.importance * s.loudness(facts)).sum::<f64>();
        // Of suspects that only scores name: the more certain, the better founded.
        let scored = d.told.first().and_then(|first| first.proposal.scores());
        scored.map_or(told, |ranked| told * surer(d) * ranked.score)
    };
    let since = |d: &IncidentDraft| d.symptoms.iter().filter_map(|i| symptoms.get(*i)).map(|s| s.onset).min();
    drafts.sort_by(|a, b| {
        a.is_over(symptoms)
            .cmp(&b.is_over(symptoms))
            .then_with(|| severity(b).cmp(&severity(a)))
            .then_with(|| a.layer().cmp(&b.layer()))
            .then_with(|| importance(b).total_cmp(&importance(a)))
            .then_with(|| surer(b).total_cmp(&surer(a)))
            .then_with(|| since(a).cmp(&since(b)))
            // Ties: by component, never by position in a file.
            .then_with(|| first(a).map(|f| f.1).cmp(&first(b).map(|f| f.1)))
    });
}

/// Symptoms that no suspect of any incident explains. A muted alert needs no explanation.
pub fn unexplained(observations: &Observations<'_, '_>, drafts: &[IncidentDraft]) -> Vec<usize> {
    let explained: BTreeSet<usize> = drafts.iter().flat_map(IncidentDraft::explained).collect();
    let muted = |i: &usize| observations.symptoms.get(*i).is_some_and(|s| s.muted.is_some());
    (0..observations.symptoms.len()).filter(|i| !explained.contains(i) && !muted(i)).collect()
}

/// Ranks proposals by explaining away. Their own findings count as symptoms too, so that a rule that uses metrics alone is not ignored.
fn cover(proposals: &[Proposal], symptoms: &[Symptom]) -> Vec<Told> {
    let could: Vec<Vec<usize>> = proposals.iter().map(|p| explainable(p, symptoms)).collect();
    let mut open: BTreeSet<usize> = (0..symptoms.len()).collect();
    let mut waiting: BTreeSet<usize> = (0..proposals.len()).collect();
    // The gain of a proposal when it was last computed. Gains only shrink, so this is an upper bound, and most are never
    // computed again (M. Minoux, Accelerated greedy algorithms for maximizing submodular set functions, 1978).
    let mut bounds: Vec<f64> = vec![f64::INFINITY; proposals.len()];
    let mut told: Vec<(usize, Vec<usize>, Option<usize>)> = Vec::new();
    while let Some(index) = best(proposals, &could, symptoms, (&open, &waiting), &mut bounds) {
        let Some(cause) = proposals.get(index) else { break };
        waiting.remove(&index);
        let explains: Vec<usize> = could.get(index).into_iter().flatten().copied().filter(|s| open.remove(s)).collect();
        let place = told.len();
        told.push((index, explains, None));
        // What it brings about are its consequences; they keep the symptoms that their cause does not explain.
        let brings = |other: &Proposal| cause.causes(other) && !cause.contradicts(other);
        let effects: Vec<usize> = waiting.iter().copied().filter(|o| proposals.get(*o).is_some_and(brings)).collect();
        for effect in effects {
            waiting.remove(&effect);
            let explains: Vec<usize> = could.get(effect).into_iter().flatten().copied().filter(|s| open.remove(s)).collect();
            told.push((effect, explains, Some(place)));
        }
    }
    let tell = |(index, explains, consequence_of): (usize, Vec<usize>, Option<usize>)| {
        Some(Told { proposal: proposals.get(index)?.clone(), explains, consequence_of })
    };
    told.into_iter().filter_map(tell).collect()
}

fn explainable(proposal: &Proposal, symptoms: &[Symptom]) -> Vec<usize> {
    symptoms.iter().enumerate().filter(|(_, s)| proposal.explains(s)).map(|(index, _)| index).collect()
}

/// The waiting proposal with the largest gain: what lasts before what is over, ties by onset, then by component.
fn best(
    proposals: &[Proposal],
    could: &[Vec<usize>],
    symptoms: &[Symptom],
    (open, waiting): (&BTreeSet<usize>, &BTreeSet<usize>),
    bounds: &mut [f64],
) -> Option<usize> {
    let newest = newest(waiting.iter().filter_map(|index| proposals.get(*index)));
    let behind = |index: usize| newest.is_some() && proposals.get(index).is_none_or(|p| p.stands_back(newest));
    let mut by_bound: Vec<usize> = waiting.iter().copied().filter(|index| !behind(*index)).collect();
    by_bound.sort_by(|a, b| bounds.get(*b).unwrap_or(&0.0).total_cmp(bounds.get(*a).unwrap_or(&0.0)));
    let key = |index: usize| proposals.get(index).map(|p| (p.onset, p.component, p.fault.key()));
    let mut best: Option<(f64, usize)> = None;
    for index in by_bound {
        let bound = bounds.get(index).copied().unwrap_or(0.0);
        if best.is_some_and(|(gain, _)| bound < gain) {
            break;
        }
        let Some(proposal) = proposals.get(index) else { continue };
        let own =
            could.get(index).into_iter().flatten().filter(|s| open.contains(s)).filter_map(|s| symptoms.get(*s)).map(Symptom::evidence);
        let effects = waiting.iter().filter_map(|o| proposals.get(*o)).filter(|o| proposal.causes(o)).map(|o| o.strength);
        let gain = proposal.strength * (own.sum::<f64>() + effects.sum::<f64>());
        if let Some(bound) = bounds.get_mut(index) {
            *bound = gain;
        }
        if best.is_none_or(|(most, other)| gain > most || (gain == most && key(index) < key(other))) {
            best = Some((gain, index));
        }
    }
    best.map(|(_, index)| index)
}

/// When the last of those that last began.
fn newest<'p>(proposals: impl Iterator<Item = &'p Proposal>) -> Option<Time> {
    proposals.filter(|one| !one.is_past()).map(|one| one.onset).max()
}

/// Roots that could explain a common symptom share an incident, also transitively; consequences follow their root.
fn grouped(told: &[Told], symptoms: &[Symptom]) -> Vec<IncidentDraft> {
    let mut parent: BTreeMap<usize, usize> = BTreeMap::new();
    let mut first_of: BTreeMap<usize, usize> = BTreeMap::new();
    for (root, one) in told.iter().enumerate().filter(|(_, one)| one.consequence_of.is_none()) {
        for symptom in explainable(&one.proposal, symptoms) {
            if symptoms.get(symptom).is_some_and(Symptom::calls_for_help) {
                let first = *first_of.entry(symptom).or_insert(root);
                union(&mut parent, first, root);
            }
        }
    }
    // Rivals are one incident too.
    let mut by_place: BTreeMap<ComponentId, Vec<usize>> = BTreeMap::new();
    let mut by_signals: BTreeMap<&BTreeSet<SignalRef>, Vec<usize>> = BTreeMap::new();
    for (root, one) in told.iter().enumerate().filter(|(_, one)| one.consequence_of.is_none()) {
        if let Some(component) = one.proposal.component {
            by_place.entry(component).or_default().push(root);
        }
        by_signals.entry(&one.proposal.evidence).or_default().push(root);
    }
    for roots in by_place.into_values().chain(by_signals.into_values()) {
        let Some((first, others)) = roots.split_first() else { continue };
        let contradicts = |a: usize, b: usize| told.get(a).zip(told.get(b)).is_some_and(|(a, b)| a.proposal.contradicts(&b.proposal));
        others.iter().filter(|other| contradicts(*first, **other)).for_each(|other| union(&mut parent, *first, *other));
    }
    // The representative of a group is its first root, so the groups come in the order of their first roots.
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, one) in told.iter().enumerate() {
        groups.entry(find(&mut parent, one.consequence_of.unwrap_or(place))).or_default().push(place);
    }
    let draft = |mut places: Vec<usize>| {
        places.sort_by_key(|place| (told.get(*place).is_some_and(|one| one.consequence_of.is_some()), *place));
        let told = in_order(told, &places);
        IncidentDraft { symptoms: told.iter().flat_map(|one| &one.explains).copied().collect(), told, ..IncidentDraft::default() }
    };
    groups.into_values().map(draft).collect()
}

/// Proposals in the order of the given positions; consequences refer to the new ones.
fn in_order(all: &[Told], order: &[usize]) -> Vec<Told> {
    let new: BTreeMap<usize, usize> = order.iter().enumerate().map(|(new, old)| (*old, new)).collect();
    let moved = |one: &Told| Told { consequence_of: one.consequence_of.and_then(|old| new.get(&old).copied()), ..one.clone() };
    order.iter().filter_map(|at| all.get(*at)).map(moved).collect()
}

impl IncidentDraft {
    /// Adds the suspects and symptoms of another incident, roots before consequences.
    fn merge(&mut self, other: IncidentDraft) {
        let first = self.told.len();
        self.told.extend(other.told.into_iter().map(|told| Told { consequence_of: told.consequence_of.map(|at| at + first), ..told }));
        self.symptoms.extend(other.symptoms);
        let roots: Vec<usize> =
            (0..self.told.len()).filter(|at| self.told.get(*at).is_some_and(|told| told.consequence_of.is_none())).collect();
        self.reorder(&roots);
    }

    /// Puts the roots into the given order (positions), and keeps the consequences behind them.
    fn reorder(&mut self, roots: &[usize]) {
        let consequences = (0..self.told.len()).filter(|at| !roots.contains(at));
        let order: Vec<usize> = roots.iter().copied().chain(consequences).collect();
        self.told = in_order(&self.told, &order);
    }

    /// Assigns every symptom to the first proposal that explains it.
    fn assign(&mut self, symptoms: &[Symptom]) {
        let mut open = self.symptoms.clone();
        for one in &mut self.told {
            let explains = |i: &usize| symptoms.get(*i).is_some_and(|s| one.proposal.explains(s));
            let mine: Vec<usize> = open.iter().copied().filter(explains).collect();
            open.retain(|i| !mine.contains(i));
            one.explains = mine;
        }
    }
}

/// Adds to an incident what cases and scores propose for the symptoms that its rules leave open, and what explains more than its first
/// suspect. `ranked` is what scores propose for all of its symptoms, if that is known.
fn complete(observations: &Observations<'_, '_>, draft: &mut IncidentDraft, ranked: Option<Vec<Proposal>>, taken: &mut BTreeSet<usize>) {
    let symptoms = &observations.symptoms;
    let all: Vec<usize> = draft.symptoms.iter().copied().collect();
    let calling: Vec<usize> = all.iter().copied().filter(|i| symptoms.get(*i).is_some_and(Symptom::calls_for_help)).collect();
    let found = cases::search(observations, &all);
    draft.similar = cases::shown(observations, &found);
    // Nothing explains more than all.
    let settled = draft.told.first().is_some_and(|first| draft.explained_by(&first.proposal, symptoms) == calling.len());
    if !settled {
        let explained = draft.explained();
        let open: Vec<usize> = all.into_iter().filter(|i| !explained.contains(i)).collect();
        let mut asking: Vec<&Symptom> = open.iter().filter_map(|i| symptoms.get(*i)).filter(|s| s.calls_for_help()).collect();
        let ranked = ranked.unwrap_or_else(|| scores::propose(observations, &calling));
        let case = if asking.is_empty() { None } else { cases::propose(observations, found, &open, &ranked) };
        let case = case.filter(|case| !draft.accounts_for(case, &asking));
        // Scores answer as if there were no case that blames what shows nothing.
        let (guess, case): (Vec<Proposal>, Vec<Proposal>) = case.into_iter().partition(|case| case.silent);
        asking.retain(|symptom| !case.iter().any(|case| case.explains(symptom)));
        draft.told.extend(case.into_iter().map(Told::root));
        add_scores(observations, draft, ranked, (&asking, taken));
        let new = |case: &Proposal| draft.told.iter().all(|told| told.proposal.component != case.component);
        let guess: Vec<Told> = guess.into_iter().filter(new).map(Told::root).collect();
        draft.told.extend(guess);
    }
    rank(observations, draft);
    draft.assign(symptoms);
    taken.extend(draft.explained());
}

/// Adds the suspects of scores that are worth naming: those that explain what is still open, and those that beat another suspect, so that no layer stands above what explains more.
fn add_scores(
    observations: &Observations<'_, '_>,
    draft: &mut IncidentDraft,
    ranked: Vec<Proposal>,
    (open, taken): (&[&Symptom], &BTreeSet<usize>),
) {
    let alone = draft.told.is_empty();
    let challengers = challengers(observations, draft, &ranked, open);
    let (known, mut fresh): (Vec<Proposal>, Vec<Proposal>) = ranked.into_iter().partition(|p| draft.accounts_for(p, open));
    if !alone {
        // Beside a cause that is known, an alert on an otherwise healthy component makes no suspect: it stays unexplained. After it,
        // something new has begun.
        let told: Vec<&Proposal> = draft.told.iter().map(|told| &told.proposal).collect();
        let anew = |s: &Symptom| told.iter().all(|p| p.is_past() && p.lasted.first().is_some_and(|(since, _)| s.onset > *since));
        let counts = |p: &Proposal, s: &Symptom| p.explains(s) && (anew(s) || !harmless::rests_on_own_alert(p, s));
        let adds = |p: &Proposal| open.iter().any(|s| counts(p, s));
        fresh.retain(|p| adds(p) && challengers.iter().all(|c| c.component != p.component));
        // The cause of what is open is none of those that are told already: the others are likelier by as much.
        let rest = (1.0 - known.iter().map(|p| p.raw).sum::<f64>()).max(f64::EPSILON);
        for proposal in &mut fresh {
            proposal.raw = (proposal.raw / rest).min(MOST_SURE);
            proposal.strength = observations.question.feedback.calibration.apply(proposal.raw);
        }
    }
    let deviates = |p: &Proposal| matches!(&p.basis, Basis::Scores(ranked) if !ranked.deviations.is_empty());
    // A component without anomalies is listed after a better suspect only with enough confidence.
    let worth = |place: usize, p: &Proposal| {
        let anomalous = deviates(p);
        (place == 0 && (alone || p.raw >= WORTH_NAMING))
            || (anomalous && place < ALWAYS_NAMED)
            || p.raw >= if anomalous { WORTH_A_LINE } else { WORTH_NAMING }
    };
    if let Some(first) = fresh.first() {
        let together = |p: &Proposal| p.onset.since(first.onset).abs() <= TOLERANCE && p.is_past() == first.is_past();
        let alike = fresh.iter().filter(|p| !deviates(p) && together(p) && p.raw >= first.raw * (1.0 - ALIKE)).filter_map(|p| p.component);
        let alike: Vec<ComponentId> = alike.collect();
        // Beside the suspect of a rule or a case, the others are no verdict.
        if alone && alike.len() > 1 && !deviates(first) {
            draft.alike = alike;
        }
    }
    let alike = draft.alike.clone();
    let named =
        |(place, p): &(usize, Proposal)| (*place < MAX_SUSPECTS && worth(*place, p)) || p.component.is_some_and(|c| alike.contains(&c));
    let mut added: Vec<Proposal> = fresh.into_iter().enumerate().filter(named).map(|(_, proposal)| proposal).chain(challengers).collect();
    added.sort_by(|a, b| b.strength.total_cmp(&a.strength));
    for proposal in added {
        // Anomalous series of the components that a suspect explains are its symptoms too.
        let metric = |s: &Symptom| s.kind == Kind::Metric && proposal.explains(s);
        let metrics = observations.symptoms.iter().enumerate().filter(|(i, s)| !taken.contains(i) && metric(s)).map(|(i, _)| i);
        draft.symptoms.extend(metrics);
        draft.told.push(Told::root(proposal));
    }
}

/// Of what scores propose: for each suspect of a rule or case, the one that beats it by most, and has a recent symptom of its own that is
/// more than starving.
fn challengers(observations: &Observations<'_, '_>, draft: &IncidentDraft, ranked: &[Proposal], open: &[&Symptom]) -> Vec<Proposal> {
    let symptoms = &observations.symptoms;
    let explains = |p: &Proposal| draft.explained_by(p, symptoms);
    let recent = |s: &Symptom| s.callers.is_none() && s.onset >= observations.since;
    let own = |p: &Proposal| match &p.basis {
        Basis::Scores(ranked) => {
            draft.calling(symptoms).any(|s| recent(s) && s.component.is_some_and(|component| ranked.members.contains(&component)))
        }
        Basis::Rules(_) | Basis::Case(_) => false,
    };
    let is_new = |p: &Proposal| !draft.accounts_for(p, open);
    let able: Vec<&Proposal> = ranked.iter().filter(|p| own(p) && is_new(p)).collect();
    // Several that explain as much are told alike.
    let best = |told: &Told| {
        let beating: Vec<(usize, usize)> = able
            .iter()
            .map(|p| explains(p))
            .enumerate()
            .filter(|(at, _)| able.get(*at).is_some_and(|p| beats(p, &told.proposal, &explains)))
            .collect();
        let most = beating.iter().map(|(_, explained)| *explained).max();
        beating.into_iter().filter(move |(_, explained)| Some(*explained) == most).map(|(at, _)| at)
    };
    let best: BTreeSet<usize> = draft.roots().flat_map(best).collect();
    best.into_iter().take(MAX_SUSPECTS).filter_map(|at| able.get(at).copied().cloned()).collect()
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
    let below = |at: ComponentId| {
        let instances = estate.instances_of(at).into_iter().map(|instance| instance.component);
        estate.dependencies(at, &[], Some(1)).into_iter().map(|reached| reached.component).chain(instances).collect::<Vec<ComponentId>>()
    };
    closure(&BTreeSet::from([component]), |at| if at != component && effects.contains(&at) { Vec::new() } else { below(at) })
}

/// The final order of roots: what lasts first, a silent case last, else by layer, each in its own order; but nothing above what displaces it.
fn rank(observations: &Observations<'_, '_>, draft: &mut IncidentDraft) {
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

/// What scores propose for each cluster. Clusters that lead to the same first suspect are one, though no path joins them.
fn joined(observations: &Observations<'_, '_>, mut clusters: Vec<Vec<usize>>) -> Vec<(Vec<usize>, Vec<Proposal>)> {
    if clusters.len() > MAX_CLUSTERS {
        // The largest stay; the sort is stable.
        clusters.sort_by_key(|cluster| std::cmp::Reverse(cluster.len()));
        let rest = clusters.split_off(MAX_CLUSTERS);
        clusters.push(rest.into_iter().flatten().collect());
    }
    let mut by_suspect: BTreeMap<ComponentId, (Vec<usize>, Option<Vec<Proposal>>)> = BTreeMap::new();
    let mut joined: Vec<(Vec<usize>, Vec<Proposal>)> = Vec::new();
    for cluster in clusters {
        let ranked = scores::propose(observations, &cluster);
        match ranked.first().and_then(|first| first.component) {
            Some(component) => match by_suspect.entry(component) {
                Entry::Vacant(entry) => {
                    entry.insert((cluster, Some(ranked)));
                }
                Entry::Occupied(mut entry) => {
                    let (all, ranked) = entry.get_mut();
                    all.extend(cluster);
                    *ranked = None;
                }
            },
            None => joined.push((cluster, ranked)),
        }
    }
    joined.extend(by_suspect.into_values().map(|(mut cluster, ranked)| {
        cluster.sort_unstable();
        let ranked = ranked.unwrap_or_else(|| scores::propose(observations, &cluster));
        (cluster, ranked)
    }));
    // Sorted by component, so that the order of signals in files has no effect.
    joined.sort_by_key(|(cluster, _)| cluster.iter().filter_map(|i| observations.symptoms.get(*i)?.component).min());
    joined
}

/// What the suspects of an incident reach, and what they depend on.
fn area(observations: &Observations<'_, '_>, draft: &IncidentDraft) -> BTreeSet<ComponentId> {
    let estate = observations.question.engine.estate;
    let mut area: BTreeSet<ComponentId> = BTreeSet::new();
    for proposal in draft.told.iter().map(|told| &told.proposal) {
        area.extend(proposal.reach.keys().copied());
        let upstream = proposal.component.into_iter().flat_map(|root| estate.dependencies(root, &[], None));
        area.extend(upstream.map(|r| r.component));
    }
    area
}
