//! Signals that the answer does not use, each with the reason; and how much of what happens is covered.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use diag::{Text, suggestion};
use estate::Snapshot;
use live::{Published, Recent, Source, Status, held};
use localize::{AccountView, Layer, SignalView};
use signal::{Origin, Resolver, SUBJECT, Series, Unplaced};
use value::{Duration, MINUTE, Time};
use words::{Lang, Locale};

use super::AppState;
use super::asked::{Asked, Sent};
use super::pull::PullState;
use super::queries::recent;
use super::refusal::Refusal;
use super::reply::Json;
use super::turns::Size;

/// Signals and series in one answer, unless asked otherwise, and at most.
const LISTED: usize = 200;
const MAX_LISTED: usize = 10_000;

/// Names for which it is looked what was meant: all components are compared with each.
const MAX_MEANT: usize = 100;

/// A series that the model does not know is silent after this long without a sample; of the others the model says so.
const SILENT: Duration = 5 * MINUTE;

/// Why a signal is not part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// No suspect explains it.
    Unexplained,
    /// It fits no component.
    Unplaced,
    /// Its sender muted it, or a rule declares it a symptom.
    Suppressed,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct SignalItem {
    pub fate: Fate,
    pub signal: SignalView,
    /// In words.
    pub reason: Option<String>,
    /// The group of unexplained signals that it is in.
    pub group: Option<String>,
    /// The rule that declares it a symptom.
    pub rule: Option<String>,
    /// The labels that name no component.
    pub labels: Option<BTreeMap<String, String>>,
}

/// `GET /api/v1/signals?fate=&limit=&lang=&tz=`: what the last diagnosis does not use, and why.
pub async fn list(State(served): State<Arc<AppState>>, query: Sent) -> Result<Json, Refusal> {
    let asked = Asked::of(query, &["fate", "limit", "lang", "tz"])?;
    let locale = asked.locale()?;
    let fates = [("unexplained", Fate::Unexplained), ("unplaced", Fate::Unplaced), ("suppressed", Fate::Suppressed)];
    let fate = asked.choice("fate", &fates)?;
    let limit = asked.number("limit", MAX_LISTED)?.unwrap_or(LISTED);
    let shared = Arc::clone(&served);
    let work = move || -> Result<Json, Refusal> {
        let (published, recent) = (shared.live.published(), recent(&shared)?);
        let mut all = items(&published, &locale);
        all.retain(|item| fate.is_none_or(|fate| item.fate == fate));
        let left_off = all.len().saturating_sub(limit);
        all.truncate(limit);
        explain(&mut all, &recent, locale.lang);
        Ok(Json(json!({"signals": all, "left_off": left_off, "at": published.at, "revision": published.revision.digest})))
    };
    served.turns.run(Size::Small, work).await
}

/// What the last diagnosis does not use, by fate, in its order.
fn items(published: &Published, locale: &Locale) -> Vec<SignalItem> {
    let mut diagnosis = (*published.diagnosis).clone();
    words::tell(&mut diagnosis, locale, &published.laid.estate);
    let item = |fate, signal| SignalItem { fate, signal, reason: None, group: None, rule: None, labels: None };
    let mut group_of = BTreeMap::new();
    for group in &diagnosis.groups {
        group_of.extend(group.members.iter().map(|member| (*member, group)));
    }
    let mut all = Vec::new();
    for (at, signal) in diagnosis.unexplained.into_iter().enumerate() {
        let group = group_of.get(&at);
        let (name, reason) = (group.map(|group| group.name.clone()), group.map(|group| group.reason.clone()));
        all.push(SignalItem { reason, group: name, ..item(Fate::Unexplained, signal) });
    }
    all.extend(diagnosis.unplaced.into_iter().map(|signal| item(Fate::Unplaced, signal)));
    all.extend(diagnosis.suppressed.into_iter().map(|view| SignalItem {
        reason: Some(view.reason.text),
        rule: view.rule,
        ..item(Fate::Suppressed, view.signal)
    }));
    all
}

/// Adds the labels of signals that fit no component, and what is wrong with these.
fn explain(items: &mut [SignalItem], recent: &Recent, lang: Lang) {
    if items.iter().all(|item| item.fate != Fate::Unplaced) {
        return;
    }
    let facts = &recent.facts;
    let mut labels: BTreeMap<&Origin, (&BTreeMap<String, String>, Option<&str>)> = BTreeMap::new();
    labels.extend(facts.alerts.iter().filter(|one| one.component.is_none()).map(|one| (&one.origin, (&one.labels, None::<&str>))));
    let series = facts.series.iter().filter(|one| one.component.is_none());
    labels.extend(series.map(|one| (&one.origin, (&one.labels, Some(one.metric.as_str())))));
    labels.extend(facts.logs.iter().filter(|one| one.component.is_none()).map(|one| (&one.origin, (&one.labels, None::<&str>))));
    labels.extend(facts.changes.iter().filter(|one| one.component.is_none()).map(|one| (&one.origin, (&one.attributes, None::<&str>))));
    labels.extend(facts.reports.iter().filter(|one| one.component.is_none()).map(|one| (&one.origin, (&one.attributes, None::<&str>))));
    let project = &recent.revision.project;
    let resolver = Resolver::new(&project.placement, &project.estate);
    let mut meant: BTreeMap<String, Option<Text>> = BTreeMap::new();
    for item in items.iter_mut().filter(|item| item.fate == Fate::Unplaced) {
        let Some((labels, hint)) = labels.get(&item.signal.origin) else { continue };
        item.labels = Some((*labels).clone());
        let Some(why) = resolver.explain(labels, *hint).why else { continue };
        let why = why.of_subject(labels.get(SUBJECT).map(String::as_str));
        let words = why.words().shown(lang == Lang::Zh);
        let meant = match &why {
            Unplaced::Unknown { value, .. } if meant.len() < MAX_MEANT || meant.contains_key(value) => {
                meant.entry(value.clone()).or_insert_with(|| near(&project.estate, value)).as_ref()
            }
            Unplaced::Unknown { .. }
            | Unplaced::Unnamed
            | Unplaced::Elsewhere { .. }
            | Unplaced::Ambiguous { .. }
            | Unplaced::Claimed { .. }
            | Unplaced::OfMessenger { .. }
            | Unplaced::Dropped { .. }
            | Unplaced::NoEntry => None,
        };
        item.reason = Some(match (meant, lang) {
            (None, _) => words,
            (Some(meant), Lang::En) => format!("{words}; {meant}"),
            (Some(meant), Lang::Zh) => format!("{words}；{}", meant.shown(true)),
        });
    }
}

/// The component that was probably meant by a name.
fn near(estate: &Snapshot, name: &str) -> Option<Text> {
    suggestion(name, estate.ids().map(|id| estate.component(id).id.as_str()))
}

/// Incidents that a layer decided.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LayerItem {
    pub layer: String,
    pub incidents: u32,
    /// 0 to 1; `null` without incidents.
    pub share: Option<f64>,
}

/// A series that was sent and is not any more.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SilentSeries {
    pub component: Option<String>,
    pub metric: String,
    pub labels: BTreeMap<String, String>,
    pub last: Time,
    /// In milliseconds.
    pub silent_for: Duration,
    /// Its sender said that it has ended.
    pub ended: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Coverage {
    pub at: Time,
    /// Incidents that are known, those that were merged into others left out, and how many of them are not resolved.
    pub incidents: usize,
    pub open: usize,
    pub layers: Vec<LayerItem>,
    /// Where every signal of the last diagnosis ended.
    pub accounting: Vec<AccountView>,
    pub series: usize,
    pub silent: usize,
    /// The first of them.
    pub silent_series: Vec<SilentSeries>,
    /// Every protocol that was heard of.
    pub sources: Vec<Source>,
    /// Protocols that sent regularly and have stopped.
    pub stale_sources: Vec<String>,
    /// Servers that are asked for metrics that nobody sends.
    pub pulls: Vec<PullState>,
}

/// `GET /api/v1/coverage?limit=`: which layer decides how many incidents, and which signals have stopped.
pub async fn coverage(State(served): State<Arc<AppState>>, query: Sent) -> Result<Json, Refusal> {
    let asked = Asked::of(query, &["limit"])?;
    let limit = asked.number("limit", MAX_LISTED)?.unwrap_or(LISTED);
    let shared = Arc::clone(&served);
    served.turns.run(Size::Small, move || Ok(Json(json!(covered(&shared, &recent(&shared)?, limit))))).await
}

fn covered(served: &AppState, recent: &Recent, limit: usize) -> Coverage {
    let at = served.live.now();
    let mut incidents = served.live.incidents();
    incidents.retain(|incident| incident.merged_into.is_none());
    let estate = &recent.revision.project.estate;
    let silent: Vec<SilentSeries> = recent.facts.series.iter().filter_map(|series| silent(series, estate, at)).collect();
    let sources = served.live.sources();
    Coverage {
        at,
        incidents: incidents.len(),
        open: incidents.iter().filter(|incident| incident.status != Status::Resolved).count(),
        layers: layers(incidents.iter().map(|incident| incident.layer.as_str())),
        accounting: served.live.published().diagnosis.accounting.clone(),
        series: recent.facts.series.len(),
        silent: silent.len(),
        silent_series: silent.into_iter().take(limit).collect(),
        stale_sources: sources.iter().filter(|source| source.stale).map(|source| source.protocol.clone()).collect(),
        sources,
        pulls: held(&served.puller).states(),
    }
}

/// How many incidents each layer decided; every layer is there.
fn layers<'l>(of: impl Iterator<Item = &'l str>) -> Vec<LayerItem> {
    let mut counts = LAYERS.map(|layer| (layer.name(), 0_u32));
    let mut all: u32 = 0;
    for layer in of {
        all += 1;
        if let Some((_, count)) = counts.iter_mut().find(|(name, _)| *name == layer) {
            *count += 1;
        }
    }
    let share = |count: u32| (all > 0).then(|| f64::from(count) / f64::from(all));
    counts.into_iter().map(|(layer, incidents)| LayerItem { layer: layer.to_owned(), incidents, share: share(incidents) }).collect()
}

/// As answers come from them: rules first.
pub const LAYERS: [Layer; 3] = [Layer::Expert, Layer::Knowledge, Layer::Anomaly];

/// Whether a series has stopped at an instant.
fn silent(series: &Series, estate: &Snapshot, at: Time) -> Option<SilentSeries> {
    let component = series.component.map(|id| estate.component(id));
    let known = component.and_then(|found| estate.model().types.get(&found.kind)).and_then(|kind| kind.metrics.get(&series.metric));
    let limit = known.map_or(SILENT, |metric| metric.staleness);
    let (last, value) = *series.points.last()?;
    let silent_for = at.since(last);
    let ended = value.is_nan();
    (ended || silent_for > limit).then(|| SilentSeries {
        component: component.map(|found| found.id.clone()),
        metric: series.metric.clone(),
        labels: series.labels.clone(),
        last,
        silent_for,
        ended,
    })
}
