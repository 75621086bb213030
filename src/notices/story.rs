//! What there is to say of an incident: the first screen of its diagnosis, in the language of the reader.

use diag::mask;
use live::{Status, Step, Tracked, What};
use serde_json::Value;
use words::{Lang, Locale};

use super::template::{Template, Values};
use super::wording;

/// Affected components that are named; the rest is counted.
const MAX_AFFECTED: usize = 5;

/// Checks, fixes and past cases that are told, of each.
const MAX_ADVICE: usize = 4;

/// From this confidence on, nobody is asked to confirm; below the other one, it is more likely something else.
const SURE: f64 = 0.8;
const LIKELY: f64 = 0.5;

/// What the last diagnosis advises about an incident, in the language of the reader.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Advice {
    /// The incident as that diagnosis tells it; without one, as it was last told, in English.
    pub report: Option<Value>,
    pub checks: Vec<String>,
    pub fixes: Vec<String>,
    /// What ended similar incidents.
    pub before: Vec<String>,
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    pub values: Values,
    pub what: What,
    pub status: Status,
    /// As JSON names it.
    pub severity: String,
    /// For machines: the incident without its report.
    pub incident: Value,
    /// By what it is known, also after a start with an empty data folder.
    pub key: String,
}

impl Story {
    /// `what` is the last thing that happened to it.
    pub fn new(incident: &Tracked, what: What, advice: &Advice, locale: &Locale) -> Story {
        let lang = locale.lang;
        let report = advice.report.as_ref().unwrap_or(&incident.report);
        let suspect = report.pointer("/suspects/0").unwrap_or(&Value::Null);
        let told = |key: &str| suspect.get(key).and_then(Value::as_str).unwrap_or("");
        let fault = if told("fault").is_empty() { incident.fault.as_str() } else { told("fault") };
        let component = incident.component.as_deref().unwrap_or("");
        let named = named(component, told("name"));
        let verdict = match (named.is_empty(), fault.is_empty()) {
            (true, true) => lang.no_suspect().to_owned(),
            (true, false) => mask(fault),
            (false, true) => named,
            (false, false) => format!("{named}{}{}", lang.colon(), mask(fault)),
        };
        let step = incident.history.iter().rev().find(|step| step.what == what);
        let news = news(lang, what, step);
        let masked = |list: &[String]| list.iter().take(MAX_ADVICE).map(|text| mask(text)).collect::<Vec<_>>();
        let values = Values::from([
            ("incident.id", vec![incident.id.to_string()]),
            ("incident.status", vec![wording::status(lang, incident.status, incident.merged_into.is_some()).to_owned()]),
            ("incident.severity", vec![wording::severity(lang, &incident.severity).to_owned()]),
            ("incident.component", some(component)),
            ("incident.fault", some(&mask(fault))),
            ("incident.verdict", vec![verdict]),
            ("incident.sureness", sureness(suspect, lang).into_iter().collect()),
            ("incident.since", vec![locale.instant(incident.since)]),
            ("incident.ended", incident.resolved.map(|at| locale.instant(at)).into_iter().collect()),
            ("incident.affected", vec![incident.affected.to_string()]),
            ("incident.impact", impact(report, lang).into_iter().collect()),
            ("incident.check", masked(&advice.checks)),
            ("incident.fix", masked(&advice.fixes)),
            ("incident.before", masked(&advice.before)),
            ("incident.owner", some(incident.owner.as_deref().unwrap_or(""))),
            ("incident.assignee", some(incident.assignee.as_deref().unwrap_or(""))),
            ("incident.tags", some(&incident.tags.join(" "))),
            ("incident.news", news.into_iter().collect()),
        ]);
        Story {
            values,
            what,
            status: incident.status,
            severity: incident.severity.clone(),
            incident: without_report(incident),
            key: format!("{}-{}", incident.id, incident.opened.0),
        }
    }

    /// The built-in title and text, as lines.
    pub fn lines(&self, lang: Lang) -> Vec<String> {
        let built_in = wording::built_in(lang);
        let filled = |text: &str| Template::parse(text).map_or_else(|_| Vec::new(), |template| template.fill(&self.values, str::to_owned));
        [built_in.title, built_in.text].into_iter().flat_map(filled).collect()
    }

    /// Says that it is only a test.
    pub fn test(locale: &Locale, now: value::Time) -> Story {
        let (status, verdict) = wording::test(locale.lang);
        let values = Values::from([
            ("incident.id", vec!["0".to_owned()]),
            ("incident.status", vec![status.to_owned()]),
            ("incident.severity", vec![wording::severity(locale.lang, "info").to_owned()]),
            ("incident.verdict", vec![verdict.to_owned()]),
            ("incident.fault", vec![verdict.to_owned()]),
            ("incident.since", vec![locale.instant(now)]),
        ]);
        let incident = serde_json::json!({"id": 0, "status": "test"});
        let key = format!("test-{}", now.0);
        Story { values, what: What::Opened, status: Status::Open, severity: "info".to_owned(), incident, key }
    }
}

/// A line of the history of an incident, without its time.
pub fn happened(lang: Lang, step: &Step) -> String {
    news(lang, step.what, Some(step)).unwrap_or_else(|| wording::found(lang).to_owned())
}

/// What happened, with who did it and what they said; `None` for the beginning.
fn news(lang: Lang, what: What, step: Option<&Step>) -> Option<String> {
    let said = |text: Option<&String>| text.map_or_else(String::new, |text| mask(text));
    wording::news(lang, what, &said(step.and_then(|s| s.by.as_ref())), &said(step.and_then(|s| s.note.as_ref())))
}

fn some(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { vec![text.to_owned()] }
}

fn named(component: &str, name: &str) -> String {
    if name.is_empty() || name == component { component.to_owned() } else { format!("{component} {name}") }
}

/// `91% sure, by expert rule CAS-001`, as a report says it.
fn sureness(suspect: &Value, lang: Lang) -> Option<String> {
    let confidence = suspect.get("confidence")?.as_f64()?;
    let share = if confidence < 0.01 { "<1%".to_owned() } else { format!("{:.0}%", confidence * 100.0) };
    let confirm = suspect.get("confirm").and_then(Value::as_bool).unwrap_or(false);
    let sure = if !confirm || confidence >= SURE {
        lang.sure(&share)
    } else if confidence >= LIKELY {
        lang.likely(&share)
    } else {
        lang.guess(&share)
    };
    let layer = wording::layer(lang, suspect.get("layer").and_then(Value::as_str).unwrap_or(""));
    let rules: Vec<&str> = suspect.get("rules").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let case = suspect.get("case").and_then(Value::as_str);
    let source = if rules.is_empty() { case.unwrap_or("").to_owned() } else { lang.listed(&rules) };
    let space = if source.is_empty() { "" } else { " " };
    Some(format!("{sure}{}{}{layer}{space}{source}", lang.comma(), lang.by()))
}

/// The components that a rule names or that have symptoms first, then those nearest.
fn impact(report: &Value, lang: Lang) -> Option<String> {
    let mut views: Vec<&Value> = report.get("impact")?.as_array()?.iter().collect();
    let is = |view: &Value, key: &str| view.get(key).and_then(Value::as_bool).unwrap_or(false);
    views.sort_by_key(|view| (!is(view, "declared"), !is(view, "observed"), view.get("distance").and_then(Value::as_u64)));
    let shown: Vec<String> = views
        .iter()
        .take(MAX_AFFECTED)
        .map(|view| {
            let text = |key: &str| view.get(key).and_then(Value::as_str).unwrap_or("");
            format!("{}{}", named(text("component"), text("name")), lang.bracketed(wording::state(lang, text("state"))))
        })
        .collect();
    (!shown.is_empty()).then(|| wording::impact(lang, views.len(), &shown))
}

/// What programs are told: what is known, without the whole diagnosis and without what only recognises the incident.
fn without_report(incident: &Tracked) -> Value {
    let mut shown = incident.shown();
    if let Some(map) = shown.as_object_mut() {
        for key in ["report", "history"] {
            map.remove(key);
        }
        for text in map.values_mut() {
            if let Value::String(text) = text {
                *text = mask(text);
            }
        }
    }
    shown
}
