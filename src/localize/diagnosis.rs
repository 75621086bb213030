//! The answer: what is broken, what it reaches, what to do, and why we believe so. This is the JSON that tools read;
//! `docs/diagnosis.schema.json` is generated from these types.

use schemars::JsonSchema;
use serde::Serialize;

use engine::EvidenceView;
use estate::{ComponentId, Snapshot, State, Tier};
pub use knowledge::Layer;
use knowledge::Record;
use signal::Origin;
use value::Time;

/// The diagnosis of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Diagnosis {
    /// Of this format: 1.
    pub version: u32,
    /// The instant at which the question was asked.
    pub at: Time,
    /// Signals before this instant are history, not symptoms.
    pub since: Time,
    /// The most certain first. Empty: no fault was seen.
    pub incidents: Vec<Incident>,
    /// What to look at, in order.
    pub checks: Vec<AdviceView>,
    /// What helped, or should help, in order.
    pub solutions: Vec<AdviceView>,
    /// Changes before and during an incident, on its components and on what they stand on; the latest first.
    pub changes: Vec<ChangeView>,
    /// Similar past cases, the most similar first.
    pub cases: Vec<CaseView>,
    /// Rules that lacked exactly one condition, the closest first.
    pub near_misses: Vec<NearMissView>,
    /// Symptoms that no suspect explains.
    pub unexplained: Vec<SignalView>,
    /// The same signals in groups, the largest first; each stands in exactly one.
    pub groups: Vec<ClusterView>,
    /// Signals that fit no component; they also stand under `unexplained` or with a suspect if they are symptoms.
    pub unplaced: Vec<SignalView>,
    /// Alerts that a rule declares to be symptoms: hidden from the page, each with its reason.
    pub suppressed: Vec<SuppressedView>,
    /// Findings that count for nothing, and why: drafts, overridden ones.
    pub set_aside: Vec<SetAsideView>,
    /// Where every signal ended; each line adds up.
    pub accounting: Vec<AccountView>,
    /// What was odd in reading the signals.
    pub warnings: Vec<String>,
}

/// Signals and suspects that belong together.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Incident {
    /// From 1, as checks, solutions and cases refer to it.
    pub number: usize,
    /// When its first symptom began.
    pub since: Time,
    /// The layer of its first suspect.
    pub layer: Layer,
    /// In rank order.
    pub suspects: Vec<Suspect>,
    /// What the first suspects reach, by distance.
    pub impact: Vec<ImpactView>,
    /// How many symptoms it has, and how many of them its suspects explain.
    pub symptoms: usize,
    pub explained: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Suspect {
    /// `null` where a rule without a component speaks.
    pub component: Option<String>,
    pub name: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub owner: Option<String>,
    pub tier: Option<Tier>,
    pub fault: String,
    /// 0 to 1. Of the expert layer an order of how sure it is; of the others the chance that it is right, as far as people have said
    /// how often such answers were.
    pub confidence: f64,
    /// The layer's own number, before what people said weighed in.
    pub raw: f64,
    pub layer: Layer,
    /// Rules that name it, the strongest first.
    pub rules: Vec<String>,
    /// The past case that proposes it.
    pub case: Option<String>,
    /// Each condition of these rules with its value.
    pub evidence: Vec<EvidenceView>,
    /// The symptoms that it explains (each symptom is explained by one suspect).
    pub explains: Vec<SignalView>,
    /// Directions in which to look for the cause, in order.
    pub causes: Vec<String>,
    /// Why it is suspected, in words; for the layers without rules.
    pub reasons: Vec<String>,
    /// What speaks against it, in words; of the anomaly layer.
    pub against: Vec<String>,
    /// What to look at to decide; of the anomaly layer.
    pub look: Vec<String>,
    pub since: Time,
    /// When its rules ceased to hold; `null` while one of them does, or where no rule speaks.
    pub until: Option<Time>,
    /// The suspect of which this one is a consequence.
    pub explained_by: Option<String>,
    /// Whether a person must confirm before this counts as known.
    pub confirm: bool,
    pub notes: Vec<String>,
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
    /// The first step of the path is no relation that carries faults: the evidence of a rule shows that it suffers.
    pub by_evidence: bool,
    /// Functions of it that a rule says are hit.
    pub functions: Vec<String>,
    /// A rule says so, not the topology alone.
    pub declared: bool,
    /// It has symptoms of its own.
    pub observed: bool,
    /// It has none, but lies between the suspect and one that has: it must be affected.
    pub inferred: bool,
}

impl ImpactView {
    /// What the topology alone says: no rule and no symptom yet.
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
    pub time: Time,
    pub text: String,
    /// How many entries it stands for: deliveries of one alert, lines of one kind.
    pub count: usize,
    pub origin: Origin,
}

/// What joins a group of signals; tried in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JoinedBy {
    /// Texts alike, on components of one type or near one another, at about one time.
    Text,
    /// Different texts on one component or near it, at about one time.
    Place,
    /// Nothing: what is in no other group.
    Nothing,
}

/// How a component stands to all components of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CommonRelation {
    /// It holds them.
    Holder,
    /// They stand on it directly.
    Dependency,
    /// It stands on them directly.
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
    /// What it is, in words: `NodeDiskPressure on 12 hosts of subnet-a`.
    pub name: String,
    pub joined_by: JoinedBy,
    /// What joins it, in words.
    pub reason: String,
    /// The name of the alert or metric that all have, else the template; `null` if texts differ.
    pub label: Option<String>,
    /// The text of most of them, with `<*>` for what differs; `null` if texts differ.
    pub template: Option<String>,
    /// In the order of their ids; signals that fit no component have none.
    pub components: Vec<String>,
    /// The type of all its components; `null` if they have several.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub common: Option<CommonView>,
    /// When its first signal began, and its last.
    pub first: Time,
    pub last: Time,
    /// Positions in `unexplained`, from 0, ascending.
    pub members: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AdviceView {
    pub incident: usize,
    pub text: String,
    /// The rule or case that says so.
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
    /// It lies on a suspect.
    pub on_suspect: bool,
    /// It came after the first suspect broke: it cannot have caused it, and may have been the remedy.
    pub after: bool,
    pub origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CaseView {
    pub incident: usize,
    pub id: String,
    pub title: String,
    pub date: Option<Time>,
    /// 0 to 1.
    pub similarity: f64,
    /// What agrees, in words.
    pub matched: Vec<String>,
    /// The rule that recognised it, if one did.
    pub rule: Option<String>,
    pub root_cause: Option<String>,
    pub solutions: Vec<String>,
    /// How often it was right when it was proposed; absent if nobody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NearMissView {
    pub rule: String,
    pub title: String,
    /// Components that its variables stood for.
    pub components: Vec<String>,
    /// The condition that failed.
    pub lacked: EvidenceView,
    /// How many of its signals held.
    pub held: usize,
    /// 0 (almost) to 1.
    pub distance: f64,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SuppressedView {
    pub signal: SignalView,
    pub rule: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SetAsideView {
    pub rule: String,
    pub title: String,
    pub components: Vec<String>,
    pub reason: String,
}

/// `received = explained + unexplained + quiet + duplicates + set_aside`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AccountView {
    /// `alerts`, `metric series` (also those made of spans), `spans`, `log lines`, `changes`, `probes`, `reports`, `other events`, `scores`.
    pub kind: String,
    pub received: usize,
    /// Symptoms with a suspect, and signals that its evidence rests on.
    pub explained: usize,
    /// Symptoms without one.
    pub unexplained: usize,
    /// Nothing to explain: healthy series, successful probes, changes, alerts that ended before the time looked at; spans, which speak as
    /// series.
    pub quiet: usize,
    /// Deliveries of what is there already.
    pub duplicates: usize,
    /// Entries that could not be read; the warnings say why.
    pub set_aside: usize,
    /// Of all these, those that fit no component.
    pub unplaced: usize,
}
