//! Why a rule matched or did not, condition by condition: the JSON of `faultscope why` and of the server.

use schemars::JsonSchema;
use serde::Serialize;

use super::Bundle;
use compile::plan::{CondKind, Rule};
use engine::{Evidence, EvidenceView, Unbound, Why};
use estate::ComponentId;
use value::{Time, Told};
use words::{Lang, Writer};

#[derive(Debug, Serialize, JsonSchema)]
pub struct WhyReport {
    pub rule: String,
    pub title: String,
    pub held: bool,
    /// Why no components could be bound, if none could.
    pub unbound: Option<Told<Unbound>>,
    pub bindings: Vec<BindingReport>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct BindingReport {
    pub components: Vec<String>,
    pub held: bool,
    /// When it began to match, or the instant at which it came closest.
    pub from: Time,
    pub until: Option<Time>,
    /// Why it is not counted although it matched.
    pub set_aside: Option<String>,
    /// How many conditions are unmet; 0 if it matched.
    pub lacking: usize,
    pub conditions: ConditionReport,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct ConditionReport {
    /// `and`, `or`, `not`, `for`, a state, or an atomic condition.
    pub kind: String,
    /// For a quantifier: whether elements that satisfy its condition are evidence for it.
    #[serde(skip)]
    pub many: bool,
    #[serde(flatten)]
    pub view: EvidenceView,
    pub parts: Vec<ConditionReport>,
}

/// The report about a rule of the bundle's plan, for one reader.
pub fn why<'b>(bundle: &'b Bundle<'_>, rule: &'b Rule, writer: Writer<'_>) -> WhyReport {
    let engine = bundle.engine();
    let findings = engine.findings();
    let mut report = report(bundle, &engine.why(rule, &findings), writer.lang());
    if let Some(unbound) = &mut report.unbound {
        unbound.text = writer.unbound(&unbound.what);
    }
    report.bindings.iter_mut().for_each(|binding| tell(&mut binding.conditions, writer));
    report
}

fn report(bundle: &Bundle<'_>, why: &Why<'_>, lang: Lang) -> WhyReport {
    let names = |binding: &[ComponentId]| binding.iter().map(|c| bundle.estate().component(*c).id.clone()).collect();
    let held = why.findings.iter().map(|f| BindingReport {
        components: names(&f.binding),
        held: true,
        from: f.since,
        until: f.until,
        set_aside: f.overridden.as_ref().map(|(by, why)| lang.overridden(by, why.as_deref())),
        lacking: 0,
        conditions: conditions(bundle, &f.evidence),
    });
    let others = why.others.iter().map(|o| BindingReport {
        components: names(&o.binding),
        held: false,
        from: o.at,
        until: None,
        set_aside: None,
        lacking: o.lacking,
        conditions: conditions(bundle, &o.evidence),
    });
    WhyReport {
        rule: why.rule.id.clone(),
        title: why.rule.title.clone(),
        held: !why.findings.is_empty(),
        unbound: why.unbound.clone().map(Told::from),
        bindings: held.chain(others).collect(),
    }
}

fn conditions(bundle: &Bundle<'_>, evidence: &Evidence<'_>) -> ConditionReport {
    let kind = match &evidence.cond.kind {
        CondKind::And(_) => "and",
        CondKind::Or(_) => "or",
        CondKind::Not(_) => "not",
        CondKind::Held { .. } => "for",
        CondKind::State { .. } => "state",
        CondKind::Quantified(_) => "quantifier",
        CondKind::Event(_) => "event",
        CondKind::Probe { .. } => "probe",
        CondKind::Link { .. } | CondKind::Shares { .. } => "topology",
        CondKind::Unexplained(_) => "unexplained",
        CondKind::Compare { .. } => "comparison",
        CondKind::Script(_) => "script",
        CondKind::Trend { .. } => "trend",
        CondKind::Baseline { .. } => "baseline",
    };
    ConditionReport {
        kind: kind.to_owned(),
        many: matches!(&evidence.cond.kind, CondKind::Quantified(of) if of.quantifier.wants_many()),
        view: evidence.view(bundle.estate(), &bundle.facts),
        parts: evidence.children.iter().map(|child| conditions(bundle, child)).collect(),
    }
}

fn tell(report: &mut ConditionReport, writer: Writer<'_>) {
    writer.tell_evidence(&mut report.view);
    report.parts.iter_mut().for_each(|part| tell(part, writer));
}
