//! Queries the scorers of `sources.yaml`: external models that score series over HTTP during a diagnosis.
//!
//! Scorers are only queried about components that the topology connects to a symptom, and scores about others are rejected. If a
//! scorer is slow, down or returns nonsense, its scores are missing and there is a warning, but the diagnosis still completes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use diag::{Code, Text, text};
use estate::{ComponentId, Snapshot};
use localize::alerting;
use signal::{Facts, ScoreFrame, Scorer};
use value::Time;

use super::Bundle;
use super::http::post_json;

/// The maximum number of series in one query. Components that could explain the most symptoms come first.
const MAX_SERIES: usize = 1_000;

/// The maximum number of samples of all series together: some 5 MB, which a scorer can process while the user waits.
const MAX_POINTS: usize = 200_000;

/// The request body for a scorer.
#[derive(Debug, Serialize)]
struct Question<'q> {
    /// The evaluation time of the diagnosis.
    at: Time,
    series: Vec<Asked<'q>>,
}

#[derive(Debug, Serialize)]
struct Asked<'q> {
    component: &'q str,
    metric: &'q str,
    labels: &'q BTreeMap<String, String>,
    /// Seconds since 1970, and the value in the base unit of the metric. Unknown values are left out.
    points: Vec<(f64, f64)>,
}

impl Bundle<'_> {
    /// Queries all scorers in parallel and adds their scores to the facts. Failures become warnings.
    pub fn ask_scorers(&mut self) {
        let project = self.project;
        let scorers = project.placement.scorers();
        if scorers.is_empty() {
            return;
        }
        let estate = Arc::clone(self.shared_estate());
        let since = self.at.minus(self.lookback);
        let connected = connected(&estate, &self.facts, since, self.at);
        let (question, about, left) = question(&estate, &self.facts, &connected, since, self.at);
        if question.series.is_empty() {
            self.warnings
                .push(text!("{}: scorers not queried: no component connected to a symptom has samples in the window", Code::SCORER));
            return;
        }
        if left > 0 {
            let (asked, all) = (question.series.len(), question.series.len() + left);
            self.warnings.push(text!("{}: scorers queried about {} of {} series: those nearest to the symptoms", Code::SCORER, asked, all));
        }
        let answers = match serde_json::to_vec(&question) {
            Ok(body) => ask_all(scorers, &body),
            Err(error) => scorers.iter().map(|_| Err(error.to_string().into())).collect(),
        };
        let at = self.at;
        for (scorer, answer) in scorers.iter().zip(answers) {
            match answer {
                Ok(body) => {
                    let frame = ScoreFrame { source: Some(&scorer.name), time: Some(at), about: Some(&about), received: None };
                    self.add_scores(&format!("scorer {}", scorer.name), &body, &frame);
                }
                Err(reason) => {
                    let words = text!("{}: the scorer `{}` {}; its scores are missing", Code::SCORER, scorer.name, reason);
                    self.warnings.push(words);
                }
            }
        }
    }
}

/// Components that could cause a symptom. Those that could cause the most symptoms come first.
fn connected(estate: &Snapshot, facts: &Facts, since: Time, at: Time) -> Vec<ComponentId> {
    let alerting: Vec<ComponentId> = alerting(estate, facts, since, at).into_iter().collect();
    estate.causes(&alerting, None).into_iter().map(|cause| cause.component).collect()
}

/// The query, the components it is about, and the number of series that exceed its limits.
fn question<'q>(
    estate: &'q Snapshot,
    facts: &'q Facts,
    connected: &[ComponentId],
    since: Time,
    at: Time,
) -> (Question<'q>, BTreeSet<ComponentId>, usize) {
    let mut series_of: BTreeMap<ComponentId, Vec<usize>> = BTreeMap::new();
    for (position, series) in facts.series.iter().enumerate() {
        if let Some(component) = series.component {
            series_of.entry(component).or_default().push(position);
        }
    }
    let (mut asked, mut about) = (Vec::new(), BTreeSet::new());
    let (mut left, mut room) = (0, MAX_POINTS);
    for component in connected {
        for series in series_of.get(component).into_iter().flatten().filter_map(|position| facts.series.get(*position)) {
            let known = series.within(since, at).iter().filter(|(_, value)| !value.is_nan());
            let points: Vec<(f64, f64)> = known.map(|(time, value)| (seconds(*time), *value)).collect();
            if points.is_empty() {
                continue;
            }
            if asked.len() >= MAX_SERIES || points.len() > room {
                left += 1;
                continue;
            }
            room -= points.len();
            about.insert(*component);
            asked.push(Asked { component: &estate.component(*component).id, metric: &series.metric, labels: &series.labels, points });
        }
    }
    (Question { at, series: asked }, about, left)
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of the years 1 to 9999 are below 2^53")]
fn seconds(time: Time) -> f64 {
    time.0 as f64 / 1000.0
}

/// Results in the order of the scorers. Takes as long as the slowest scorer, limited by its timeout.
fn ask_all(scorers: &[Scorer], body: &[u8]) -> Vec<Result<Vec<u8>, Text>> {
    std::thread::scope(|scope| {
        let asked: Vec<_> = scorers.iter().map(|scorer| scope.spawn(move || ask(scorer, body))).collect();
        asked.into_iter().map(|one| one.join().unwrap_or_else(|_| Err(text!("could not be queried")))).collect()
    })
}

fn ask(scorer: &Scorer, body: &[u8]) -> Result<Vec<u8>, Text> {
    let mut headers = BTreeMap::new();
    for (name, value) in &scorer.headers {
        // Secrets are in the environment, not in git.
        let value = match value.strip_prefix('$') {
            Some(variable) => std::env::var(variable).map_err(|_| {
                text!("was not queried: its header `{}` needs the environment variable `{}`, which is not set", name, variable)
            })?,
            None => value.clone(),
        };
        headers.insert(name.clone(), value);
    }
    let timeout = Duration::from_millis(u64::try_from(scorer.timeout).unwrap_or(0));
    post_json(&scorer.url, &headers, body, timeout)
}
