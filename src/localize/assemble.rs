//! Assembles the diagnosis from the findings.

use std::collections::BTreeSet;

use anomaly::CHANGE_WINDOW;
use compile::plan::{Advice, Severity, Status};
use engine::{Finding, SignalRef};
use estate::ComponentId;
use signal::{Change, KUBERNETES};
use value::{DAY, Time, Told as Words, Truth};

use super::Observations;
use super::diagnosis::{
    AdviceView, BeforeView, CaseReason, CaseView, ChangeView, Diagnosis, ImpactView, Incident, Layer, NearMissView, Reason, RuleView, Says,
    SetAsideView, SignalView, Suspect, UndoView, UnjudgedView, WhySetAside,
};
use super::explain::{IncidentDraft, Told};
use super::order::beats;
use super::proposal::{Basis, Proposal};
use super::rules::held_before;
use super::symptoms::{Symptom, origin};

/// At most this many near misses per rule: further bindings add nothing.
const MAX_PER_RULE: usize = 2;
/// A suspect that is a consequence of another one keeps this share of its confidence.
const CONSEQUENCE: f64 = 0.5;
/// Changes that cannot be undone, or are themselves attempts to mend something.
const NOT_UNDONE: &[&str] = &["restart", "reboot", "rollback", "roll back", "revert", "重启", "回滚", "回退"];
/// What a cluster does by itself, mostly on the way to what somebody asked of it: that can be undone, these cannot.
const BY_ITSELF: &[&str] =
    &["Killing", "RemovingNode", "ScaleDown", "SuccessfulCreate", "SuccessfulDelete", "SuccessfulRescale", "TriggeredScaleUp"];
/// How far what the first suspect stands on is asked for earlier faults: what runs it, and what that needs.
const BEFORE_HOPS: u32 = 2;
/// At most this many earlier faults for each incident.
const MAX_BEFORE: usize = 3;
/// A rule that explains the whole incident keeps its full strength; one that explains nothing of it loses this share.
const BESIDE: f64 = 0.3;

/// Adds an incident with its advice and cases.
pub fn incident(
    observations: &Observations<'_, '_>,
    draft: &IncidentDraft,
    (number, impact): (usize, Vec<ImpactView>),
    diagnosis: &mut Diagnosis,
) {
    let calling = || draft.calling(&observations.symptoms);
    let suspects: Vec<Suspect> = draft.told.iter().map(|told| suspect(observations, draft, told)).collect();
    let Some(layer) = draft.layer() else { return };
    // When the outage began, not a warning that has been on for days: what began before the window counts only if all of it did, or if the
    // rule of the first suspect rests on it.
    let own = draft.own(&observations.symptoms);
    let onsets = || draft.told.iter().map(|told| told.proposal.onset).chain(own.iter().map(|s| s.onset));
    let held = draft.told.first().filter(|told| told.proposal.layer == Layer::Expert).map(|told| began(observations, told));
    let recent = onsets().filter(|onset| *onset >= observations.since).chain(held).min();
    let since = recent.or_else(|| onsets().min()).unwrap_or(observations.since);
    // Whether a change beside the suspects came before or after depends on when the first root failed, not on the first symptom.
    let first = draft.roots().map(|told| began(observations, told)).min().unwrap_or(since);
    let until = draft.is_over(&observations.symptoms).then(|| {
        let ends = draft.roots().filter_map(|told| told.proposal.until()).chain(calling().filter_map(|s| s.end));
        ends.max()
    });
    let explained = draft.explained();
    diagnosis.incidents.push(Incident {
        number,
        since,
        until: until.flatten(),
        severity: severity(observations, draft),
        layer,
        suspects,
        alike: names(observations, &draft.alike),
        impact,
        symptoms: calling().count(),
        explained: explained.iter().filter_map(|i| observations.symptoms.get(*i)).filter(|s| s.calls_for_help()).count(),
    });
    changes(observations, draft, (number, first), diagnosis);
    advice(observations, draft, number, diagnosis);
    cases(observations, draft, number, diagnosis);
    before(observations, (number, since), diagnosis);
}

/// What the rules of the root suspects declare; without rules, the most severe symptom of its own.
pub fn severity(observations: &Observations<'_, '_>, draft: &IncidentDraft) -> Severity {
    let findings = draft.roots().flat_map(|told| told.proposal.findings()).filter_map(|f| observations.findings.get(*f));
    let declared = findings.filter_map(|finding| finding.rule.severity).max();
    declared.or_else(|| draft.own(&observations.symptoms).iter().map(|s| s.severity).max()).unwrap_or(Severity::Warning)
}

/// When a suspect began: also where its rule has held for longer than it was searched for. What follows from another began no earlier.
fn began(observations: &Observations<'_, '_>, told: &Told) -> Time {
    let held = if told.consequence_of.is_none() { held_before(observations, &told.proposal) } else { None };
    held.unwrap_or(told.proposal.onset)
}

/// The confidence of a suspect. It is at most as likely as one above it that explains more and began no later; a case that blames what shows
/// nothing, as any above it.
fn confidence(observations: &Observations<'_, '_>, draft: &IncidentDraft, told: &Told) -> f64 {
    let explained = |p: &Proposal| draft.explained_by(p, &observations.symptoms);
    let above = draft.roots().take_while(|other| !std::ptr::eq(*other, told));
    let beating =
        above.filter(|other| told.consequence_of.is_none() && (told.proposal.silent || beats(&other.proposal, &told.proposal, &explained)));
    beating.map(|other| by_itself(observations, draft, other)).fold(by_itself(observations, draft, told), f64::min)
}

/// The confidence of a proposal in its incident. Rivals exclude each other: at most one is right.
fn by_itself(observations: &Observations<'_, '_>, draft: &IncidentDraft, told: &Told) -> f64 {
    let proposal = &told.proposal;
    if told.consequence_of.is_some() {
        return proposal.strength * CONSEQUENCE;
    }
    let odds = |p: &Proposal| p.strength / (1.0 - p.strength).max(f64::EPSILON);
    let rivals = draft.roots().map(|told| &told.proposal).filter(|p| p.contradicts(proposal) && (proposal.is_past() || !p.is_past()));
    let others: f64 = rivals.map(odds).sum();
    let alone = odds(proposal) / (odds(proposal) + others + 1.0);
    let weight = |list: &mut dyn Iterator<Item = usize>| -> f64 {
        list.filter_map(|i| observations.symptoms.get(i)).filter(|s| s.calls_for_help()).map(Symptom::evidence).sum()
    };
    let all = weight(&mut draft.symptoms.iter().copied());
    let share = if all > 0.0 { weight(&mut told.explains.iter().copied()) / all } else { 1.0 };
    match proposal.layer {
        // A rival loses what it does not explain through the other one, not twice.
        Layer::Expert if others <= 0.0 => alone * (1.0 - BESIDE + BESIDE * share),
        Layer::Expert | Layer::Knowledge | Layer::Anomaly => alone,
    }
}

fn suspect(observations: &Observations<'_, '_>, draft: &IncidentDraft, told: &Told) -> Suspect {
    let (estate, facts) = (observations.question.engine.estate, observations.question.engine.facts);
    let proposal = &told.proposal;
    let component = proposal.component.map(|c| estate.component(c));
    let root = told.consequence_of.and_then(|at| draft.told.get(at)).map(|told| &told.proposal);
    let confidence = confidence(observations, draft, told);
    let mut suspect = Suspect {
        component: component.map(|c| c.id.clone()),
        name: component.map(|c| c.name.clone()),
        kind: component.map(|c| c.kind.clone()),
        owner: component.and_then(|c| c.owner.clone()),
        tier: component.and_then(|c| c.tier),
        fault: proposal.fault.written().to_owned(),
        says: proposal.fault.clone(),
        contact: component.and_then(|c| c.owner.clone()),
        confidence: round(confidence),
        grounds: proposal.scores().map(|ranked| ranked.grounds),
        raw: round(if proposal.layer == Layer::Expert { confidence } else { proposal.raw }),
        layer: proposal.layer,
        rules: Vec::new(),
        authored: Vec::new(),
        case: proposal.case().and_then(|case| observations.question.cases.cases().get(case)).map(|case| case.id.clone()),
        evidence: Vec::new(),
        explains: told.explains.iter().filter_map(|i| observations.symptoms.get(*i)).map(|s| s.view(estate, facts)).collect(),
        causes: Vec::new(),
        reasons: Vec::new(),
        against: Vec::new(),
        look: Vec::new(),
        since: began(observations, told),
        until: proposal.until(),
        explained_by: root.map(|r| r.component.map_or_else(|| r.fault.written().to_owned(), |c| estate.component(c).id.clone())),
        confirm: proposal.layer != Layer::Expert,
        notes: Vec::new(),
    };
    match &proposal.basis {
        Basis::Rules(findings) => add_rules(observations, findings, &mut suspect),
        Basis::Case(similar) => {
            suspect.reasons = case_reasons(observations, similar);
            suspect.against.extend(proposal.silent.then_some(Words::from(Reason::Case(CaseReason::ShowsNothing))));
        }
        Basis::Scores(ranked) => {
            let told = |reasons: &[anomaly::Reason]| reasons.iter().cloned().map(|r| Words::from(Reason::Anomaly(r))).collect();
            suspect.reasons = told(&ranked.reasons.because);
            suspect.against = told(&ranked.reasons.against);
            suspect.look = told(&ranked.reasons.look);
        }
    }
    suspect
}

/// The rules of a proposal, with each condition that matched.
fn add_rules(observations: &Observations<'_, '_>, findings: &[usize], suspect: &mut Suspect) {
    let (estate, facts) = (observations.question.engine.estate, observations.question.engine.facts);
    for finding in findings.iter().filter_map(|f| observations.findings.get(*f)) {
        if !suspect.rules.contains(&finding.rule.id) {
            suspect.rules.push(finding.rule.id.clone());
            suspect.causes.extend(finding.rule.causes.iter().filter(|c| c.at.is_none()).map(|c| c.text.clone()));
            suspect.notes.extend(finding.rule.notes.iter().cloned());
            let rule = finding.rule;
            if let Some(owner) = rule.owner.as_ref().filter(|_| suspect.authored.is_empty()) {
                suspect.contact = Some(owner.clone());
            }
            suspect.authored.push(RuleView {
                id: rule.id.clone(),
                title: rule.title.clone(),
                severity: rule.severity,
                owner: rule.owner.clone(),
                tags: rule.tags.clone(),
                added: rule.added.clone(),
                reviewed: rule.reviewed.clone(),
            });
        }
        for (atom, negated) in finding.evidence.atoms() {
            // Of alternatives joined by `or`, only those that matched.
            if (atom.truth == Truth::True) != negated && atom.truth != Truth::Unknown {
                let view = atom.view(estate, facts);
                let view = if negated { view.negate() } else { view };
                // The same observation may serve several bindings.
                let same = |other: &engine::EvidenceView| {
                    (&other.condition, &other.component, other.negated, &other.found)
                        == (&view.condition, &view.component, view.negated, &view.found)
                };
                if !suspect.evidence.iter().any(same) {
                    suspect.evidence.push(view);
                }
            }
        }
    }
}

fn case_reasons(observations: &Observations<'_, '_>, similar: &knowledge::Similar) -> Vec<Words<Reason>> {
    let Some(case) = observations.question.cases.cases().get(similar.case) else { return Vec::new() };
    let resembles = CaseReason::Resembles { case: case.id.clone(), title: case.title.clone(), similarity: round(similar.similarity) };
    let record = super::cases::record(observations, similar);
    let judged = (record.proposed > 0).then(|| CaseReason::Record {
        right: record.right,
        proposed: record.proposed,
        weight: round(record.weight()),
    });
    let matches = similar.matched.iter().cloned().map(Reason::Match);
    [resembles].into_iter().chain(judged).map(Reason::Case).chain(matches).map(Words::from).collect()
}

/// Three decimals: more would suggest a precision that does not exist.
fn round(confidence: f64) -> f64 {
    (confidence * 1000.0).round() / 1000.0
}

/// Changes on the incident's components and their dependencies within the window: first those before the trouble, the latest first. What
/// was changed on a suspect came before or after that suspect failed.
fn changes(observations: &Observations<'_, '_>, draft: &IncidentDraft, (incident, first): (usize, Time), diagnosis: &mut Diagnosis) {
    let engine = observations.question.engine;
    let onsets: Vec<(Option<ComponentId>, Time)> =
        draft.told.iter().map(|told| (told.proposal.component, began(observations, told))).collect();
    let suspects: BTreeSet<ComponentId> = draft.told.iter().filter_map(|told| told.proposal.component).collect();
    let mut area: BTreeSet<ComponentId> = draft.symptoms.iter().filter_map(|i| observations.symptoms.get(*i)?.component).collect();
    area.extend(&suspects);
    area.extend(draft.told.iter().flat_map(|told| told.proposal.affected.iter().copied()));
    for suspect in &suspects {
        area.extend(engine.estate.dependencies(*suspect, &[], None).into_iter().map(|r| r.component));
    }
    for change in engine.facts.changes.iter().rev().filter(|c| c.time > observations.since && c.time <= engine.at) {
        let Some(component) = change.component.filter(|c| area.contains(c)) else { continue };
        let own = onsets.iter().filter(|(suspect, _)| *suspect == Some(component)).map(|(_, onset)| *onset);
        let began = own.min_by_key(|onset| (*onset < change.time, *onset)).unwrap_or(first);
        diagnosis.changes.push(ChangeView {
            incident,
            component: engine.estate.component(component).id.clone(),
            time: change.time,
            text: engine.facts.told_in_full(change),
            on_suspect: suspects.contains(&component),
            before: began.since(change.time),
            after: change.time > began,
            origin: change.origin.clone(),
        });
    }
    diagnosis.changes.sort_by_key(|change| (change.incident, change.after));
}

/// Checks and solutions of the rules of an incident, roots before consequences, each text once.
fn advice(observations: &Observations<'_, '_>, draft: &IncidentDraft, incident: usize, diagnosis: &mut Diagnosis) {
    let view = |advice: &Advice, from: &str| AdviceView {
        incident,
        text: advice.text.clone(),
        undo: None,
        from: from.to_owned(),
        see: advice.see.clone(),
        query: advice.query.clone(),
        runbook: advice.runbook.clone(),
    };
    let mut seen: BTreeSet<(bool, String)> = BTreeSet::new();
    diagnosis.solutions.extend(undo(observations, draft, incident));
    for told in &draft.told {
        for rule in told.proposal.findings().iter().filter_map(|f| observations.findings.get(*f)).map(|f| f.rule) {
            for (solution, list) in [(false, &rule.checks), (true, &rule.solutions)] {
                for advice in list {
                    if seen.insert((solution, advice.text.clone())) {
                        let into = if solution { &mut diagnosis.solutions } else { &mut diagnosis.checks };
                        into.push(view(advice, &rule.id));
                    }
                }
            }
        }
    }
    let proposing = draft.told.first().and_then(|told| told.proposal.case());
    if let Some(case) = proposing.and_then(|case| observations.question.cases.cases().get(case)) {
        for text in &case.solutions {
            if seen.insert((true, text.clone())) {
                let advice = Advice { text: text.clone(), see: Vec::new(), query: None, runbook: None };
                diagnosis.solutions.push(view(&advice, &case.id));
            }
        }
    }
}

/// Undoing the latest change of a root suspect, or of what it runs on, that came shortly before its onset. A change after the onset of any of
/// them did not cause the incident, unless it is one of the first suspect.
fn undo(observations: &Observations<'_, '_>, draft: &IncidentDraft, incident: usize) -> Option<AdviceView> {
    let engine = observations.question.engine;
    // What the first suspect brings about is not mended by undoing a change there.
    let first = draft.told.first().map(|told| &told.proposal);
    let own = |told: &&Told| first.is_none_or(|first| !first.causes(&told.proposal));
    let suspects = draft.roots().filter(own).filter_map(|told| Some((told.proposal.component?, began(observations, told))));
    let suspects: Vec<(ComponentId, Time)> = suspects.collect();
    let on = |component: ComponentId| {
        let held = move |(suspect, _): &&(ComponentId, Time)| *suspect == component || engine.estate.holders(*suspect).contains(&component);
        suspects.iter().filter(held).map(|(_, onset)| *onset)
    };
    let began = draft.roots().map(|told| began(observations, told)).min()?;
    let of_first = |component: Option<ComponentId>| component.is_some() && first.is_some_and(|first| first.component == component);
    let early = |change: &&Change| change.time <= began || of_first(change.component);
    let candidates = engine.facts.changes.iter().filter(early).filter_map(|change| {
        let onset = on(change.component?).filter(|onset| (0..=CHANGE_WINDOW).contains(&onset.since(change.time))).max()?;
        can_be_undone(change).then_some((change, onset))
    });
    // One that shares words with what is new comes before a later one.
    let fits = |at: Time| draft.roots().any(|told| told.proposal.fits_change(at));
    let (change, onset) = candidates.max_by_key(|(change, _)| (fits(change.time), change.time, change.component))?;
    let undo = UndoView {
        component: engine.estate.component(change.component?).id.clone(),
        change: engine.facts.told_in_full(change),
        at: change.time,
        before: onset.since(change.time),
    };
    Some(AdviceView {
        incident,
        text: String::new(),
        undo: Some(undo),
        from: "change".to_owned(),
        see: Vec::new(),
        query: None,
        runbook: None,
    })
}

/// Whether somebody made a change that can be taken back.
pub fn can_be_undone(change: &Change) -> bool {
    let named = |name: &str| change.attributes.get(name).map_or("", String::as_str);
    let text = change.text.to_lowercase();
    let by_itself = named("source") == KUBERNETES && BY_ITSELF.contains(&named("reason"));
    !by_itself && !NOT_UNDONE.iter().any(|word| text.contains(word))
}

/// First the cases that a rule recognized, then those that resemble the incident.
fn cases(observations: &Observations<'_, '_>, draft: &IncidentDraft, incident: usize, diagnosis: &mut Diagnosis) {
    let (base, weights) = (observations.question.cases, &observations.question.feedback.weights);
    let mut listed: BTreeSet<String> = BTreeSet::new();
    let mut views = Vec::new();
    for told in &draft.told {
        for rule in told.proposal.findings().iter().filter_map(|f| observations.findings.get(*f)).map(|f| f.rule) {
            let Some(id) = rule.case.as_ref().filter(|id| listed.insert((*id).clone())) else { continue };
            let similar = draft.similar.iter().find(|s| base.cases().get(s.case).is_some_and(|c| c.id == *id));
            let case = base.find(id);
            views.push(CaseView {
                incident,
                id: id.clone(),
                title: case.map_or_else(|| rule.title.clone(), |c| c.title.clone()),
                date: case.and_then(|c| c.date),
                similarity: similar.map(|s| round(s.similarity)),
                matched: similar.map(|s| s.matched.iter().cloned().map(Words::from).collect()).unwrap_or_default(),
                rule: Some(rule.id.clone()),
                root_cause: case.and_then(|c| c.root.as_ref()).map(|r| r.fault.clone()),
                solutions: case.map(|c| c.solutions.clone()).unwrap_or_default(),
                record: weights.find(id),
            });
        }
    }
    for similar in &draft.similar {
        let Some(case) = base.cases().get(similar.case).filter(|c| listed.insert(c.id.clone())) else { continue };
        views.push(CaseView {
            incident,
            id: case.id.clone(),
            title: case.title.clone(),
            date: case.date,
            similarity: Some(round(similar.similarity)),
            matched: similar.matched.iter().cloned().map(Words::from).collect(),
            rule: None,
            root_cause: case.root.as_ref().map(|r| r.fault.clone()),
            solutions: case.solutions.clone(),
            record: weights.find(&case.id),
        });
    }
    diagnosis.cases.extend(views);
}

/// What broke earlier where the first suspect is, or in what it stands on. Without the cases that are listed already.
fn before(observations: &Observations<'_, '_>, (incident, since): (usize, Time), diagnosis: &mut Diagnosis) {
    let Some(knowledge) = observations.question.knowledge else { return };
    let estate = observations.question.engine.estate;
    let first = diagnosis.incidents.last().and_then(|one| one.suspects.first()).and_then(|suspect| suspect.component.as_deref());
    let Some(component) = first.and_then(|id| estate.find(id)) else { return };
    // A case may say no more than its day: what is of the same day may be this very incident.
    let Ok(found) = knowledge.before(estate, component, since.minus(DAY), BEFORE_HOPS) else { return };
    let listed: BTreeSet<&str> = diagnosis.cases.iter().filter(|case| case.incident == incident).map(|case| case.id.as_str()).collect();
    let new = found.into_iter().filter(|earlier| earlier.case.as_deref().is_none_or(|case| !listed.contains(case)));
    let views: Vec<BeforeView> = new.take(MAX_BEFORE).map(|earlier| BeforeView { incident, earlier }).collect();
    diagnosis.before.extend(views);
}

fn names(observations: &Observations<'_, '_>, components: &[ComponentId]) -> Vec<String> {
    components.iter().map(|c| observations.question.engine.estate.component(*c).id.clone()).collect()
}

pub fn near_misses(observations: &Observations<'_, '_>, limit: usize) -> Vec<NearMissView> {
    let engine = observations.question.engine;
    engine
        .near_misses(&observations.findings, limit, MAX_PER_RULE)
        .into_iter()
        .map(|miss| {
            let lacked = miss.failed.view(engine.estate, engine.facts);
            let components = names(observations, &miss.binding);
            NearMissView {
                rule: miss.rule.id.clone(),
                title: miss.rule.title.clone(),
                components,
                lacked: if miss.negated { lacked.negate() } else { lacked },
                held: miss.held,
                distance: round(miss.distance),
                text: String::new(),
            }
        })
        .collect()
}

pub fn unjudged(observations: &Observations<'_, '_>) -> Vec<UnjudgedView> {
    let view = |(missing, rules): (BTreeSet<String>, Vec<&compile::plan::Rule>)| UnjudgedView {
        missing: missing.into_iter().collect(),
        rules: rules.into_iter().map(|rule| rule.id.clone()).collect(),
    };
    observations.question.engine.unjudged().into_iter().map(view).collect()
}

/// Every signal without a component.
pub fn unplaced(observations: &Observations<'_, '_>) -> Vec<SignalView> {
    let facts = observations.question.engine.facts;
    let view = |signal: SignalRef, kind: &str, time, text: &str, count| {
        let origin = origin(signal, facts)?;
        Some(SignalView {
            kind: kind.to_owned(),
            component: None,
            instance: None,
            time,
            text: text.lines().next().unwrap_or("").to_owned(),
            says: Says::Text,
            count,
            firing: None,
            origin,
        })
    };
    let mut views: Vec<SignalView> = Vec::new();
    views.extend(
        facts
            .alerts
            .iter()
            .enumerate()
            .filter(|(_, a)| a.component.is_none())
            .filter_map(|(i, a)| view(SignalRef::Alert(i), "alert", a.start, &a.title(), 1 + a.duplicates)),
    );
    views.extend(
        facts
            .series
            .iter()
            .enumerate()
            .filter(|(_, s)| s.component.is_none())
            .filter_map(|(i, s)| view(SignalRef::Series(i), "metric", s.points.first()?.0, &s.metric, s.points.len())),
    );
    views.extend(
        facts
            .logs
            .iter()
            .enumerate()
            .filter(|(_, l)| l.component.is_none())
            .filter_map(|(i, l)| view(SignalRef::Log(i), "log", l.time, &l.text, 1)),
    );
    views.extend(
        facts
            .changes
            .iter()
            .enumerate()
            .filter(|(_, c)| c.component.is_none())
            .filter_map(|(i, c)| view(SignalRef::Change(i), "change", c.time, &c.text, 1)),
    );
    views.extend(
        facts
            .probes
            .iter()
            .enumerate()
            .filter(|(_, p)| p.component.is_none())
            .filter_map(|(i, p)| view(SignalRef::Probe(i), "probe", p.time, &p.text, 1)),
    );
    views.extend(
        facts
            .reports
            .iter()
            .enumerate()
            .filter(|(_, r)| r.component.is_none())
            .filter_map(|(i, r)| view(SignalRef::Report(i), "report", r.time, &r.text, 1)),
    );
    let scores = facts.scores_at(observations.since, observations.question.engine.at);
    views.extend(scores.into_iter().filter(|score| score.component.is_none()).map(|score| {
        let (kind, text) = ("score".to_owned(), score.named.clone());
        let says = Says::Scored { of: score.named, metric: score.metric, source: score.source };
        SignalView { kind, component: None, instance: None, time: score.time, text, says, count: 1, firing: None, origin: score.origin }
    }));
    views
}

/// Findings that are not counted, with the reason.
pub fn set_aside(observations: &Observations<'_, '_>) -> Vec<SetAsideView> {
    let reason = |finding: &Finding<'_>| match (&finding.overridden, finding.rule.status) {
        (Some((by, because)), _) => Some(WhySetAside::Overridden { by: by.clone(), because: because.clone() }),
        (None, Status::Draft) => Some(WhySetAside::Draft),
        (None, Status::Active) if super::rules::rests_on_late_change(finding, observations.question.engine.facts) => {
            Some(WhySetAside::LateChange)
        }
        (None, Status::Active | Status::Retired) => None,
    };
    observations
        .findings
        .iter()
        .filter_map(|finding| {
            Some(SetAsideView {
                rule: finding.rule.id.clone(),
                title: finding.rule.title.clone(),
                components: names(observations, &finding.binding),
                reason: reason(finding)?.into(),
            })
        })
        .collect()
}
