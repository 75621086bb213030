//! The diagnosis: what is broken, what it affects, what to do, and the reasons. This is the JSON that tools read;
//! `docs/diagnosis.schema.json` is generated from these types.

use schemars::JsonSchema;
use serde::Serialize;

use compile::plan::Severity;
use engine::EvidenceView;
use estate::{ComponentId, Snapshot, SoftenedBy, Softening, State, Tier};
pub use knowledge::Layer;
use knowledge::{Earlier, Record};
use signal::{Muted, Origin, Unplaced};
use value::{Duration, Time, Told};

/// The diagnosis of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Diagnosis {
    /// Version of this format: 1.
    pub version: u32,
    /// The instant that was diagnosed.
    pub at: Time,
    /// Signals before this instant are history, not symptoms.
    pub since: Time,
    /// The most certain first. Empty: no fault was found.
    pub incidents: Vec<Incident>,
    /// How many more incidents there are, which a filter of the reader leaves out.
    pub hidden: usize,
    /// What to check, in order.
    pub checks: Vec<AdviceView>,
    /// Suggested fixes, in order.
    pub solutions: Vec<AdviceView>,
    /// Changes before and during an incident, on its components and their dependencies; the latest first.
    pub changes: Vec<ChangeView>,
    /// Similar past cases, the most similar first.
    pub cases: Vec<CaseView>,
    /// What broke earlier where the first suspect is, or in what it stands on, and is not among these cases: the nearest first, then the
    /// latest.
    pub before: Vec<BeforeView>,
    /// Rules with exactly one unmet condition, the closest first.
    pub near_misses: Vec<NearMissView>,
    /// Rules that could not be judged at all, by the data that they lack.
    pub unjudged: Vec<UnjudgedView>,
    /// Symptoms that no suspect explains; critical alerts that still fire come first.
    pub unexplained: Vec<SignalView>,
    /// The same signals in groups, the largest first; each signal is in exactly one group.
    pub groups: Vec<ClusterView>,
    /// Signals that fit no component. If they are symptoms, they are also listed in `unexplained` or with a suspect.
    pub unplaced: Vec<SignalView>,
    /// Why they fit none, the most frequent reason first.
    pub unplaced_because: Vec<UnplacedView>,
    /// Alerts that a rule declares to be symptoms: hidden from the report, each with its reason.
    pub suppressed: Vec<SuppressedView>,
    /// Findings that are not counted, and why: drafts and overridden rules.
    pub set_aside: Vec<SetAsideView>,
    /// Where every signal ended up; each line adds up.
    pub accounting: Vec<AccountView>,
    /// Problems found while reading the signals.
    pub warnings: Vec<String>,
}

impl Diagnosis {
    /// Keeps the incidents for which `wanted` is true, with their checks, fixes, changes and cases; the others are counted.
    pub fn filter(&mut self, wanted: impl Fn(&Incident) -> bool) {
        let before = self.incidents.len();
        self.incidents.retain(|incident| wanted(incident));
        self.hidden += before - self.incidents.len();
        let kept: std::collections::BTreeSet<usize> = self.incidents.iter().map(|incident| incident.number).collect();
        self.checks.retain(|advice| kept.contains(&advice.incident));
        self.solutions.retain(|advice| kept.contains(&advice.incident));
        self.changes.retain(|change| kept.contains(&change.incident));
        self.cases.retain(|case| kept.contains(&case.incident));
        self.before.retain(|view| kept.contains(&view.incident));
    }
}

impl Incident {
    /// Whether one of its rules has this tag.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.suspects.iter().flat_map(|suspect| &suspect.authored).any(|rule| rule.tags.iter().any(|own| own == tag))
    }

    /// Whether it is this owner's: of a rule, of a suspect, or of a component that shows symptoms or that a rule names as affected.
    pub fn is_of(&self, owner: &str) -> bool {
        let suspects = self.suspects.iter().flat_map(|suspect| [&suspect.owner, &suspect.contact]);
        let affected = self.impact.iter().filter(|view| view.observed || view.declared).map(|view| &view.owner);
        suspects.chain(affected).flatten().any(|own| own == owner)
    }
}

/// Signals and suspects that belong together.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Incident {
    /// Starts at 1; checks, solutions and cases refer to it.
    pub number: usize,
    /// When it began: its suspects, and what they explain.
    pub since: Time,
    /// When it was over; `null` while a suspect or an alert of it lasts.
    pub until: Option<Time>,
    /// The most severe that a rule of its suspects declares; otherwise by the severity of the alerts that they explain.
    pub severity: Severity,
    /// The layer of its first suspect.
    pub layer: Layer,
    /// In rank order.
    pub suspects: Vec<Suspect>,
    /// Components that nothing tells apart from the first suspect, itself included; empty if it stands out.
    pub alike: Vec<String>,
    /// What a fault of the first suspects reaches, by distance.
    pub impact: Vec<ImpactView>,
    /// How many symptoms it has, and how many of them its suspects explain.
    pub symptoms: usize,
    pub explained: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Suspect {
    /// `null` if the rule that matched names no component.
    pub component: Option<String>,
    pub name: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub owner: Option<String>,
    pub tier: Option<Tier>,
    /// What is wrong with it; where no rule or case says so, in the language of the report.
    pub fault: String,
    /// The same as data.
    #[serde(skip)]
    pub says: Fault,
    /// Whom to tell: the owner that a rule names, otherwise the owner of the component.
    pub contact: Option<String>,
    /// 0 to 1. In the expert layer it only ranks suspects. In the other layers it is the probability that the suspect is right,
    /// calibrated by recorded feedback.
    pub confidence: f64,
    /// The confidence from the layer itself, before feedback is applied.
    pub raw: f64,
    /// What that rests on, of a suspect of scores.
    #[serde(skip)]
    pub grounds: Option<anomaly::Grounds>,
    pub layer: Layer,
    /// Rules that name it, the strongest first.
    pub rules: Vec<String>,
    /// What these rules say about themselves.
    pub authored: Vec<RuleView>,
    /// The past case that proposes it.
    pub case: Option<String>,
    /// Each condition of these rules with its value.
    pub evidence: Vec<EvidenceView>,
    /// The symptoms that this suspect explains (each symptom is explained by one suspect).
    pub explains: Vec<SignalView>,
    /// Possible causes to check, in order.
    pub causes: Vec<String>,
    /// Why it is suspected; only for the layers without rules.
    pub reasons: Vec<Told<Reason>>,
    /// The evidence against it; only for the anomaly layer.
    pub against: Vec<Told<Reason>>,
    /// What to check to confirm it; only for the anomaly layer.
    pub look: Vec<Told<Reason>>,
    pub since: Time,
    /// When its rules stopped matching; `null` while one of them matches, or if no rule names it.
    pub until: Option<Time>,
    /// The suspect of which this one is a consequence.
    pub explained_by: Option<String>,
    /// Whether the suspect is a proposal that needs confirmation.
    pub confirm: bool,
    pub notes: Vec<String>,
}

/// What a rule says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RuleView {
    pub id: String,
    pub title: String,
    pub severity: Option<Severity>,
    pub owner: Option<String>,
    pub tags: Vec<String>,
    /// Dates as written: `2025-06-01`.
    pub added: Option<String>,
    pub reviewed: Option<String>,
}

/// What is wrong with a suspect.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// In the words of a rule, of a case or of its own alert.
    Named(String),
    /// A metric is unusually high or low.
    Unusual { metric: String, high: bool },
    /// What its logs or an external model say.
    Shows(anomaly::Reason),
    /// Nothing of its own: its dependents fail.
    Dependents,
    /// Nothing of its own: what it calls gets no work.
    Callees,
}

impl Fault {
    /// Its words, if somebody wrote any; the others are made in package `words`.
    pub fn written(&self) -> &str {
        match self {
            Fault::Named(text) => text,
            Fault::Unusual { .. } | Fault::Shows(_) | Fault::Dependents | Fault::Callees => "",
        }
    }

    /// What tells it from another fault of the same component.
    pub fn key(&self) -> String {
        match self {
            Fault::Named(text) => super::proposal::fault_key(text),
            Fault::Unusual { .. } | Fault::Shows(_) | Fault::Dependents | Fault::Callees => format!("{self:?}"),
        }
    }
}

/// Why a component is suspected, in the layers without rules.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Reason {
    Anomaly(anomaly::Reason),
    Case(CaseReason),
    Match(knowledge::Match),
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum CaseReason {
    /// A past case resembles the incident; `similarity` is 0 to 1.
    Resembles { case: String, title: String, similarity: f64 },
    /// How often the case was right when it was proposed, and the weight that it has by that.
    Record { right: u32, proposed: u32, weight: f64 },
    /// What the case blames has no symptom, and suspects of the scores have.
    ShowsNothing,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[allow(clippy::struct_excessive_bools, reason = "independent marks, each named in the JSON")]
pub struct ImpactView {
    pub component: String,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub tier: Option<Tier>,
    pub owner: Option<String>,
    /// Hops from the suspect.
    pub distance: u32,
    pub state: State,
    /// From the suspect to this component, both included.
    pub path: Vec<String>,
    /// Where the state becomes milder on this path, and why.
    pub softens: Vec<Told<SofteningView>>,
    /// The first step of the path is not a relation that carries faults: the evidence of a rule shows that the component is affected.
    pub by_evidence: bool,
    /// Functions of the component that are affected according to a rule.
    pub functions: Vec<String>,
    /// A rule names the component as affected, not only the topology.
    pub declared: bool,
    /// It has symptoms of its own.
    pub observed: bool,
    /// It has no symptoms, but lies between the suspect and a component with symptoms, so it must be affected.
    pub inferred: bool,
}

/// A step of a path that carries less than what it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SofteningView {
    /// Where it arrives milder.
    pub component: String,
    pub from: State,
    pub to: State,
    #[serde(flatten)]
    pub by: SoftenedBy,
}

impl SofteningView {
    pub fn new(estate: &Snapshot, softening: Softening) -> Self {
        let Softening { component, from, to, by } = softening;
        SofteningView { component: estate.component(component).id.clone(), from, to, by }
    }
}

impl ImpactView {
    /// An affected component according to the topology alone, without rules and symptoms.
    pub fn new(estate: &Snapshot, component: ComponentId, distance: u32, state: State, path: &[ComponentId]) -> Self {
        let found = estate.component(component);
        ImpactView {
            component: found.id.clone(),
            name: found.name.clone(),
            kind: found.kind.clone(),
            tier: found.tier,
            owner: found.owner.clone(),
            distance,
            state,
            path: path.iter().map(|c| estate.component(*c).id.clone()).collect(),
            softens: Vec::new(),
            by_evidence: false,
            functions: Vec::new(),
            declared: false,
            observed: false,
            inferred: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct SignalView {
    /// `alert`, `report`, `probe`, `log`, `metric`, `change` or `score`.
    pub kind: String,
    pub component: Option<String>,
    /// The pod that it names, if the topology does not have it: the component is its workload then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    pub time: Time,
    /// As the monitored system wrote it; of what only numbers say, in the language of the report.
    pub text: String,
    pub says: Says,
    /// How many entries this is: deliveries of one alert, lines of one kind.
    pub count: usize,
    /// The severity of an alert that still fires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firing: Option<Severity>,
    pub origin: Origin,
}

/// What a signal says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Says {
    /// Its own text.
    Text,
    /// A series deviates; values in the unit that the model declares.
    Deviates { metric: String, value: String, usual: String, high: bool },
    /// A probe without a text failed.
    ProbeFailed,
    /// A score of an external model, for something that fits no component.
    Scored { of: String, metric: Option<String>, source: String },
}

/// What joins a group of signals, tried in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JoinedBy {
    /// Similar texts on components of one type or near each other, at about the same time.
    Text,
    /// Different texts on one component or near it, at about the same time.
    Place,
    /// Nothing: the signals that fit no other group.
    Nothing,
}

/// How a component relates to all components of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CommonRelation {
    /// It contains them.
    Holder,
    /// They depend on it directly.
    Dependency,
    /// It depends on them directly.
    Dependent,
}

/// What all components of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CommonView {
    pub relation: CommonRelation,
    pub component: String,
}

/// A group of unexplained signals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ClusterView {
    /// A short description: `NodeDiskPressure on 12 hosts of subnet-a`.
    pub name: String,
    pub joined_by: JoinedBy,
    /// What joins the signals, as text.
    pub reason: String,
    /// All its signals are metrics.
    pub metrics_only: bool,
    /// Its texts are similar, but not all the same.
    pub differing: bool,
    /// How many signals it has: error lines of one component are one entry of `unexplained`.
    pub signals: usize,
    /// How many of these entries fit no component.
    pub unplaced: usize,
    /// The name of the alert or metric if all signals share it, otherwise the template; `null` if the texts differ.
    pub label: Option<String>,
    /// The most frequent text, with `<*>` for the parts that vary; `null` if the texts differ.
    pub template: Option<String>,
    /// Sorted by id; unplaced signals have no component.
    pub components: Vec<String>,
    /// The type of all its components; `null` if they have different types.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub common: Option<CommonView>,
    /// When its first signal began, and its last.
    pub first: Time,
    pub last: Time,
    /// Positions in `unexplained`, from 0, ascending.
    pub members: Vec<usize>,
}

/// A change of a suspect, or of what it runs on, that came shortly before its onset: undoing it is worth a try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UndoView {
    pub component: String,
    pub change: String,
    pub at: Time,
    /// How long before the onset, in milliseconds.
    pub before: Duration,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AdviceView {
    pub incident: usize,
    pub text: String,
    /// The change that it suggests to undo; `null` if a rule or case gives the advice.
    pub undo: Option<UndoView>,
    /// The rule or case that this comes from; `change` if it is derived from a change.
    pub from: String,
    pub see: Vec<String>,
    pub query: Option<String>,
    pub runbook: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChangeView {
    pub incident: usize,
    pub component: String,
    pub time: Time,
    pub text: String,
    /// The changed component is a suspect.
    pub on_suspect: bool,
    /// How long before the first suspect failed; negative after it. In milliseconds.
    pub before: Duration,
    /// The change came after the first suspect failed: it cannot be the cause, and may have been the fix.
    pub after: bool,
    pub origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CaseView {
    pub incident: usize,
    pub id: String,
    pub title: String,
    pub date: Option<Time>,
    /// 0 to 1; `null` if the project has no such case, so that nothing was compared.
    pub similarity: Option<f64>,
    /// What the case and the incident have in common.
    pub matched: Vec<Told<knowledge::Match>>,
    /// The rule that recognized the case, if any.
    pub rule: Option<String>,
    pub root_cause: Option<String>,
    pub solutions: Vec<String>,
    /// How often the case was right when it was proposed; absent without feedback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BeforeView {
    pub incident: usize,
    #[serde(flatten)]
    pub earlier: Earlier,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NearMissView {
    pub rule: String,
    pub title: String,
    /// The components bound to the variables of the rule.
    pub components: Vec<String>,
    /// The unmet condition.
    pub lacked: EvidenceView,
    /// How many of its signals matched.
    pub held: usize,
    /// From 0 (almost matched) to 1.
    pub distance: f64,
    pub text: String,
}

/// Rules of which no condition could be judged, because the bundle has none of the signals that they ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnjudgedView {
    /// `alerts`, `metrics`, `logs`, `changes`, `reports`, `probes`, or the name of a metric in backticks; sorted.
    pub missing: Vec<String>,
    pub rules: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SuppressedView {
    pub signal: SignalView,
    /// The rule that declares it a symptom; `null` if the sender of the alert muted it.
    pub rule: Option<String>,
    pub reason: Told<WhySuppressed>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum WhySuppressed {
    /// A rule with this title declares it a symptom, of the component at fault.
    Symptom { title: String, of: Option<String> },
    /// Its sender muted it.
    Muted { by: Muted },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum WhySetAside {
    /// A better rule, and what that says about it.
    Overridden { by: String, because: Option<String> },
    /// It is a draft: it matched, but is not counted.
    Draft,
    /// It rests on a change that came after the trouble began.
    LateChange,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SetAsideView {
    pub rule: String,
    pub title: String,
    pub components: Vec<String>,
    pub reason: Told<WhySetAside>,
}

/// Signals that fit no component for one reason. Spans do not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnplacedView {
    /// Of the first of them; the others have other names in it.
    pub reason: Told<Unplaced>,
    /// What would place them; `null` if an entry of `placement` drops them.
    pub remedy: Option<String>,
    /// How many signals.
    pub count: usize,
    /// The first of them.
    pub origin: Origin,
}

/// `received = explained + unexplained + quiet + duplicates + set_aside`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AccountView {
    /// `alerts`, `metric series` (also those from spans), `spans`, `log lines`, `changes`, `probes`, `reports`, `other events`, `scores`.
    pub kind: String,
    pub received: usize,
    /// Symptoms with a suspect, and signals used as evidence for one.
    pub explained: usize,
    /// Symptoms without a suspect.
    pub unexplained: usize,
    /// Nothing to explain: healthy series, successful probes, changes, alerts that ended before the window; also spans, which are judged
    /// as series.
    pub quiet: usize,
    /// Repeated deliveries of the same entry.
    pub duplicates: usize,
    /// Rejected entries; the warnings give the reasons.
    pub set_aside: usize,
    /// How many of all these fit no component.
    pub unplaced: usize,
}
