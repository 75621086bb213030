//! The read-only half of Alertmanager's API, version 2: alerts, groups, receivers, silences and the status, so that tools made for an
//! Alertmanager can look at us. Posting alerts is in `ingest`.
//!
//! The one receiver is called `faultscope`. An alert that a rule declares a symptom counts as inhibited by that rule. Alerts of one
//! incident are a group.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use regex::Regex;
use serde_json::{Value, json};

use ::ingest::RESOLVE_TIMEOUT;
use signal::{Alert, Facts, Origin};
use value::Time;

use super::AppState;
use super::asked::Sent;
use super::matchers::{Matcher, matchers};
use super::reply::Json;

/// The version of Alertmanager whose API this is. Tools read it to know how to ask.
pub const API_VERSION: &str = "0.27.0";

/// Every alert goes here.
const RECEIVER: &str = "faultscope";

/// What tools that want to see a configuration are shown.
const CONFIGURATION: &str = "route:\n  receiver: faultscope\nreceivers:\n- name: faultscope\n";

/// The label of a group: the first suspect of its incident.
const GROUP: &str = "faultscope_suspect";

/// An answer as Alertmanager gives it: an error is a string.
type Answer = Result<Json, Refused>;

#[derive(Debug)]
pub struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(Value::String(self.1))).into_response()
    }
}

fn bad(why: impl Into<String>) -> Refused {
    Refused(StatusCode::BAD_REQUEST, why.into())
}

/// Why nobody makes a silence here. Not a 405: amtool shows a text only with the status that Alertmanager gives its errors.
pub fn no_silences() -> Refused {
    bad("faultscope makes no silences: make them in Alertmanager")
}

/// `GET /api/v2/status`
pub async fn status(State(served): State<Arc<AppState>>) -> Json {
    let nothing = "";
    Json(json!({
        "cluster": {"name": "", "status": "disabled", "peers": []},
        "versionInfo": {
            "version": API_VERSION,
            "revision": served.live.active().digest,
            "branch": "faultscope",
            "buildUser": nothing,
            "buildDate": nothing,
            "goVersion": nothing,
        },
        "config": {"original": CONFIGURATION},
        "uptime": served.started,
    }))
}

/// `GET /api/v2/receivers`
pub async fn receivers() -> Json {
    Json(json!([{"name": RECEIVER}]))
}

/// `GET /api/v2/silences`: there are none here.
pub async fn silences() -> Json {
    Json(json!([]))
}

/// `GET /api/v2/alerts`: what fires now, by fingerprint.
pub async fn alerts(State(served): State<Arc<AppState>>, query: Sent) -> Answer {
    let wanted = Wanted::of(query)?;
    blocking(move || {
        let shown = Shown::of(&served)?;
        let mut found: Vec<(String, Value)> = shown.wanted(&wanted).map(|alert| (fingerprint(&labels(alert)), shown.json(alert))).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Json(found.into_iter().map(|(_, alert)| alert).collect()))
    })
    .await
}

/// `GET /api/v2/alerts/groups`: the same, by incident; those that no incident explains stand together.
pub async fn groups(State(served): State<Arc<AppState>>, query: Sent) -> Answer {
    let wanted = Wanted::of(query)?;
    blocking(move || {
        let shown = Shown::of(&served)?;
        let mut groups: BTreeMap<Option<&str>, BTreeMap<(String, Time), Value>> = BTreeMap::new();
        for alert in shown.wanted(&wanted) {
            let group = groups.entry(shown.suspect_of.get(&alert.origin).map(String::as_str)).or_default();
            group.insert((fingerprint(&labels(alert)), alert.start), shown.json(alert));
        }
        let group = |(suspect, alerts): (Option<&str>, BTreeMap<(String, Time), Value>)| {
            let labels: BTreeMap<&str, &str> = suspect.into_iter().map(|suspect| (GROUP, suspect)).collect();
            json!({"labels": labels, "receiver": {"name": RECEIVER}, "alerts": alerts.into_values().collect::<Vec<_>>()})
        };
        Ok(Json(groups.into_iter().map(group).collect()))
    })
    .await
}

async fn blocking(work: impl FnOnce() -> Answer + Send + 'static) -> Answer {
    let failed = |_| Refused(StatusCode::INTERNAL_SERVER_ERROR, "internal error while handling the request".to_owned());
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

/// Which alerts are asked for.
#[derive(Debug)]
struct Wanted {
    active: bool,
    silenced: bool,
    inhibited: bool,
    matchers: Vec<Matcher>,
}

impl Wanted {
    fn of(sent: Sent) -> Result<Wanted, Refused> {
        let axum::extract::Query(pairs) = sent.map_err(|rejection| bad(rejection.body_text()))?;
        let mut wanted = Wanted { active: true, silenced: true, inhibited: true, matchers: Vec::new() };
        let mut received = true;
        for (key, value) in pairs {
            match key.as_str() {
                "active" => wanted.active = truth(&key, &value)?,
                "silenced" => wanted.silenced = truth(&key, &value)?,
                "inhibited" => wanted.inhibited = truth(&key, &value)?,
                // All are processed as they come.
                "unprocessed" => {
                    truth(&key, &value)?;
                }
                "filter" => wanted.matchers.extend(matchers(&value).map_err(|why| bad(format!("bad matcher format: {why}")))?),
                "receiver" => {
                    let pattern = anchored(&value).map_err(|error| bad(format!("failed to parse receiver param: {error}")))?;
                    received = pattern.is_match(RECEIVER);
                }
                // As Alertmanager does with what it does not know.
                _ => {}
            }
        }
        // Every alert has the same receiver.
        Ok(if received { wanted } else { Wanted { active: false, silenced: false, inhibited: false, ..wanted } })
    }
}

fn truth(key: &str, value: &str) -> Result<bool, Refused> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(bad(format!("`{key}` is true or false, not `{other}`"))),
    }
}

/// A pattern that has to match all of a text.
pub fn anchored(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?s:{pattern})$"))
}

/// Alerts with what the last diagnosis says about them.
struct Shown {
    facts: Arc<Facts>,
    now: Time,
    /// The rule that declares an alert a symptom.
    inhibited: BTreeMap<Origin, String>,
    /// The first suspect of the incident that explains an alert.
    suspect_of: BTreeMap<Origin, String>,
}

impl Shown {
    fn of(served: &AppState) -> Result<Shown, Refused> {
        let stopping = || Refused(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down".to_owned());
        let facts = served.live.recent().ok_or_else(stopping)?.facts;
        let published = served.live.published();
        let symptoms = published.diagnosis.suppressed.iter();
        let inhibited = symptoms.filter_map(|view| Some((view.signal.origin.clone(), view.rule.clone()?))).collect();
        let mut suspect_of = BTreeMap::new();
        for incident in &published.diagnosis.incidents {
            let Some(first) = incident.suspects.first() else { continue };
            let name = first.component.as_ref().unwrap_or(&first.fault);
            let explained = incident.suspects.iter().flat_map(|suspect| &suspect.explains);
            suspect_of.extend(explained.map(|signal| (signal.origin.clone(), name.clone())));
        }
        Ok(Shown { facts, now: served.live.now(), inhibited, suspect_of })
    }

    fn wanted<'a>(&'a self, wanted: &'a Wanted) -> impl Iterator<Item = &'a Alert> {
        self.facts.alerts.iter().filter(move |alert| {
            let (silenced, inhibited) = (is_silenced(alert), self.is_inhibited(alert));
            alert.end >= self.now
                && (wanted.active || silenced || inhibited)
                && (wanted.silenced || !silenced)
                && (wanted.inhibited || !inhibited)
                && wanted.matchers.iter().all(|matcher| matcher.fits(&labels(alert)))
        })
    }

    fn is_inhibited(&self, alert: &Alert) -> bool {
        self.inhibited.contains_key(&alert.origin) || alert.muted.as_ref().is_some_and(|muted| !muted.inhibited_by.is_empty())
    }

    /// As `gettableAlert`. Until when an alert lasts that still fires, only its sender knows: it is as if it had just been sent.
    fn json(&self, alert: &Alert) -> Value {
        let labels = labels(alert);
        let (mut silenced_by, mut inhibited_by, mut muted_by) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(muted) = &alert.muted {
            silenced_by.clone_from(&muted.silenced_by);
            inhibited_by.clone_from(&muted.inhibited_by);
            muted_by.clone_from(&muted.muted_by);
        }
        inhibited_by.extend(self.inhibited.get(&alert.origin).cloned());
        let suppressed = is_silenced(alert) || self.is_inhibited(alert);
        json!({
            "annotations": {"summary": alert.summary},
            "endsAt": if alert.end == Time::MAX { self.now.plus(RESOLVE_TIMEOUT) } else { alert.end },
            "fingerprint": fingerprint(&labels),
            "receivers": [{"name": RECEIVER}],
            "startsAt": alert.start,
            "status": {
                "state": if suppressed { "suppressed" } else { "active" },
                "silencedBy": silenced_by,
                "inhibitedBy": inhibited_by,
                "mutedBy": muted_by,
            },
            "updatedAt": self.now,
            "generatorURL": "",
            "labels": labels,
        })
    }
}

/// Muted by its sender, and not only inhibited.
fn is_silenced(alert: &Alert) -> bool {
    alert.muted.as_ref().is_some_and(|muted| !muted.silenced_by.is_empty() || muted.inhibited_by.is_empty())
}

/// With a name for tools that show alerts by it.
fn labels(alert: &Alert) -> BTreeMap<String, String> {
    let mut labels = alert.labels.clone();
    labels.entry("alertname".to_owned()).or_insert_with(|| alert.name.clone());
    labels
}

/// That of Alertmanager: FNV-1a with 64 bits over names and values in the order of the names, each followed by a byte that is no text.
fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    const OFFSET: u64 = 14_695_981_039_346_656_037;
    const PRIME: u64 = 1_099_511_628_211;
    let words = labels.iter().flat_map(|(name, value)| [name, value]);
    let bytes = words.flat_map(|word| word.bytes().chain([255]));
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{anchored, fingerprint};

    /// That of no labels is the offset of FNV-1a.
    #[test]
    fn fingerprints() {
        assert_eq!(fingerprint(&BTreeMap::new()), "cbf29ce484222325");
        let one = |name: &str| BTreeMap::from([("alertname".to_owned(), name.to_owned())]);
        assert_eq!(fingerprint(&one("A")).len(), 16);
        assert_ne!(fingerprint(&one("A")), fingerprint(&one("B")));
    }

    #[test]
    fn a_pattern_matches_all_of_a_text() {
        for (pattern, text, fits) in
            [("a.*", "abc", true), ("b", "abc", false), ("a|abc", "abc", true), ("", "", true), ("a.c", "a\nc", true)]
        {
            assert_eq!(anchored(pattern).unwrap().is_match(text), fits, "{pattern} {text}");
        }
    }
}
