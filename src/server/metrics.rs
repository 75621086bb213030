//! `GET /metrics`: what operators watch, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;

use live::{BOUNDS, Delays, Source, Status, Tracked, held};
use notices::Attempts;
use value::Duration;

use super::AppState;
use super::alertmanager::API_VERSION;
use super::pull::PullState;
use super::refusal::Refusal;
use super::reload::ReloadState;
use super::request::spawn_blocking;
use super::signals::LAYERS;

/// The text format of Prometheus that every scraper reads.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

type Answer = ([(HeaderName, &'static str); 1], String);

pub async fn metrics(State(served): State<Arc<AppState>>) -> Result<Answer, Refusal> {
    let page = spawn_blocking(move || Ok(page(&served))).await?;
    Ok(([(CONTENT_TYPE, TEXT)], page))
}

fn page(served: &AppState) -> String {
    let mut page = Page::default();
    page.family("faultscope_build_info", Kind::Gauge, "The version that runs.");
    page.sample("", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.family("alertmanager_build_info", Kind::Gauge, "The version of Alertmanager whose read-only API this server has.");
    page.sample("", &[("version", API_VERSION)], 1);
    page.one("process_start_time_seconds", Kind::Gauge, "When the server started, in seconds since 1970.", seconds(served.started.0));
    let others = super::ops::settings(served).refused.is_empty() && served.models.state().refused.is_empty();
    reload(&mut page, &served.reloader.state(), others);
    sources(&mut page, &served.live.sources());
    pulls(&mut page, &held(&served.puller).states());
    kept(&mut page, served);
    incidents(&mut page, &served.live.incidents());
    notifications(&mut page, &served.notifier.state());
    delays(&mut page, &served.live.delays());
    page.0
}

fn reload(page: &mut Page, state: &ReloadState, others: bool) {
    let successful = others && state.refused.is_none() && state.errors == 0;
    let help = "Whether the files of the project, the settings and the models are in use without errors, as they are on disk.";
    page.one("faultscope_config_last_reload_successful", Kind::Gauge, help, u8::from(successful));
    let help = "When the files in use were loaded, in seconds since 1970.";
    page.one("faultscope_config_last_reload_success_timestamp_seconds", Kind::Gauge, help, seconds(state.loaded.0));
    page.family("faultscope_config_info", Kind::Gauge, "The revision in use, and the one that is on disk.");
    let wanted = state.refused.as_ref().map_or(&state.active, |tree| &tree.digest);
    page.sample("", &[("active", state.active.as_str()), ("wanted", wanted.as_str())], 1);
    page.family("faultscope_config_reloads_total", Kind::Counter, "Trees of files that were loaded, or refused because of errors.");
    page.sample("", &[("result", "success")], state.succeeded);
    page.sample("", &[("result", "failure")], state.failed);
}

fn sources(page: &mut Page, sources: &[Source]) {
    page.family("faultscope_requests_total", Kind::Counter, "Requests of senders, by what became of them.");
    for Source { protocol, traffic, .. } in sources {
        for (result, count) in [
            ("accepted", traffic.requests),
            ("unreadable", traffic.unreadable),
            ("overloaded", traffic.overloaded),
            ("not_written", traffic.not_written),
        ] {
            page.sample("", &[("protocol", protocol.as_str()), ("result", result)], count);
        }
    }
    page.family("faultscope_signals_total", Kind::Counter, "Signals in accepted requests, by what became of them.");
    for Source { protocol, traffic, .. } in sources {
        for (fate, count) in [
            ("accepted", traffic.accepted),
            ("duplicate", traffic.duplicates),
            ("too_old", traffic.too_old),
            ("rejected", traffic.rejected),
        ] {
            page.sample("", &[("protocol", protocol.as_str()), ("fate", fate)], count);
        }
    }
    let help = "When a sender was last heard of, in seconds since 1970.";
    page.family("faultscope_source_last_received_timestamp_seconds", Kind::Gauge, help);
    for Source { protocol, traffic, .. } in sources {
        if let Some(last) = traffic.last {
            page.sample("", &[("protocol", protocol.as_str())], seconds(last.0));
        }
    }
    page.family("faultscope_source_stale", Kind::Gauge, "Whether a sender that sent regularly has stopped.");
    for source in sources {
        page.sample("", &[("protocol", source.protocol.as_str())], u8::from(source.stale));
    }
}

fn pulls(page: &mut Page, pulls: &[PullState]) {
    page.family("faultscope_pull_requests_total", Kind::Counter, "Requests to servers that are asked for metrics, by their result.");
    for state in pulls {
        page.sample("", &[("url", state.url.as_str()), ("result", "success")], state.requests - state.failures.min(state.requests));
        page.sample("", &[("url", state.url.as_str()), ("result", "failure")], state.failures);
    }
    page.family("faultscope_pull_samples_total", Kind::Counter, "Samples that were asked for and kept.");
    for state in pulls {
        page.sample("", &[("url", state.url.as_str())], state.samples);
    }
    page.family("faultscope_pull_failing", Kind::Gauge, "Whether a server does not answer all that it is asked.");
    for state in pulls {
        page.sample("", &[("url", state.url.as_str())], u8::from(state.failing_since.is_some()));
    }
    let help = "Up to when what is asked for is known, in seconds since 1970.";
    page.family("faultscope_pull_known_until_timestamp_seconds", Kind::Gauge, help);
    for state in pulls {
        if let Some(until) = state.known_until {
            page.sample("", &[("url", state.url.as_str())], seconds(until.0));
        }
    }
}

fn kept(page: &mut Page, served: &AppState) {
    let published = served.live.published();
    page.family("faultscope_kept_signals", Kind::Gauge, "Signals of the recent past that diagnoses use.");
    for (kind, counts) in published.counts.kinds() {
        page.sample("", &[("kind", kind)], counts.kept);
    }
    page.family("faultscope_unplaced_signals", Kind::Gauge, "Kept signals that fit no component.");
    for (kind, counts) in published.counts.kinds() {
        page.sample("", &[("kind", kind)], counts.unplaced);
    }
    page.family("faultscope_repeated_signals_total", Kind::Counter, "Signals that were known already, or were joined with another one.");
    for (kind, counts) in published.counts.kinds() {
        page.sample("", &[("kind", kind)], counts.duplicates + counts.merged);
    }
    page.family("faultscope_let_go_total", Kind::Counter, "Young signals that a limit of memory dropped.");
    let gone = published.let_go;
    for (kind, count) in [("signals", gone.signals), ("samples", gone.samples), ("series", gone.series), ("late_spans", gone.late_spans)] {
        page.sample("", &[("kind", kind)], count);
    }
    let seen = &published.laid.seen;
    page.family("faultscope_seen", Kind::Gauge, "What only signals show of the estate: calls of traces, and pods.");
    page.sample("", &[("kind", "calls")], seen.calls.len());
    page.sample("", &[("kind", "pods")], seen.pods.len());
    let help = "Signals that showed one more call or pod than there may be, or a name that is none.";
    page.family("faultscope_seen_left_out_total", Kind::Counter, help);
    page.sample("", &[("kind", "calls")], seen.calls_left_out);
    page.sample("", &[("kind", "pods")], seen.pods_left_out);
    let (alerts, bulk) = served.live.waiting();
    page.family("faultscope_queue_requests", Kind::Gauge, "Requests that wait to be read.");
    page.sample("", &[("lane", "alerts")], alerts);
    page.sample("", &[("lane", "bulk")], bulk);
    let (bytes, next) = served.live.journal();
    page.one("faultscope_journal_bytes", Kind::Gauge, "The size of the journal on disk.", bytes);
    page.one("faultscope_journal_entries_total", Kind::Counter, "Requests that were ever written to the journal.", next.saturating_sub(1));
    let writable = u8::from(served.live.broken().is_none());
    page.one("faultscope_journal_writable", Kind::Gauge, "Whether the last write of the journal reached the disk.", writable);
    page.one("faultscope_diagnoses_total", Kind::Counter, "Diagnoses since the start.", published.diagnoses);
    let help = "How long the last diagnosis took.";
    page.one("faultscope_last_diagnosis_duration_seconds", Kind::Gauge, help, seconds(published.took));
    let help = "The instant of the last diagnosis, in seconds since 1970.";
    page.one("faultscope_last_diagnosis_timestamp_seconds", Kind::Gauge, help, seconds(published.at.0));
}

/// Every state with every layer, so that none is missing from a graph.
fn incidents(page: &mut Page, incidents: &[Arc<Tracked>]) {
    let mut counts: BTreeMap<(Status, &str), usize> = BTreeMap::new();
    for incident in incidents.iter().filter(|incident| incident.merged_into.is_none()) {
        *counts.entry((incident.status, incident.layer.as_str())).or_default() += 1;
    }
    page.family("faultscope_incidents", Kind::Gauge, "Incidents by their state and the layer that named the first suspect.");
    for (status, state) in [(Status::Open, "open"), (Status::Acknowledged, "acknowledged"), (Status::Resolved, "resolved")] {
        for layer in LAYERS {
            let count = counts.get(&(status, layer.name())).copied().unwrap_or(0);
            page.sample("", &[("state", state), ("layer", layer.name())], count);
        }
    }
}

/// By kind of channel: names of channels are for people.
fn notifications(page: &mut Page, state: &notices::State) {
    let mut kinds: BTreeMap<&str, Attempts> = BTreeMap::new();
    for channel in &state.channels {
        let sum = kinds.entry(channel.kind).or_default();
        sum.sent += channel.attempts.sent;
        sum.failed += channel.attempts.failed;
        sum.retried += channel.attempts.retried;
        sum.given_up += channel.attempts.given_up;
    }
    let mut family = |name: &str, help: &str, count: fn(&Attempts) -> u64| {
        page.family(name, Kind::Counter, help);
        for (kind, attempts) in &kinds {
            page.sample("", &[("kind", *kind)], count(attempts));
        }
    };
    family("faultscope_notifications_sent_total", "Messages that arrived.", |of| of.sent);
    family("faultscope_notifications_failed_total", "Attempts to send a message that failed.", |of| of.failed);
    family("faultscope_notifications_retried_total", "Attempts that repeat a failed one.", |of| of.retried);
    family("faultscope_notifications_given_up_total", "Messages that could not be sent for too long.", |of| of.given_up);
}

fn delays(page: &mut Page, delays: &Delays) {
    let help = "The time from a request received to the first diagnosis that knows its signals.";
    page.family("faultscope_time_to_diagnosis_seconds", Kind::Histogram, help);
    let mut within = 0;
    for (bound, count) in BOUNDS.iter().zip(delays.buckets) {
        within += count;
        let bound = seconds(*bound);
        page.sample("_bucket", &[("le", bound.as_str())], within);
    }
    page.sample("_bucket", &[("le", "+Inf")], delays.count);
    page.sample("_sum", &[], seconds(delays.sum));
    page.sample("_count", &[], delays.count);
}

/// Milliseconds in seconds, without rounding: `1.5`.
pub(super) fn seconds(milliseconds: Duration) -> String {
    let sign = if milliseconds < 0 { "-" } else { "" };
    let (whole, rest) = (milliseconds.unsigned_abs() / 1_000, milliseconds.unsigned_abs() % 1_000);
    let rest = format!("{rest:03}");
    let rest = rest.trim_end_matches('0');
    if rest.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A page of metrics, family by family.
#[derive(Debug, Default)]
struct Page(String, String);

impl Page {
    /// Begins a family; samples that follow are its own.
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.0.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        name.clone_into(&mut self.1);
    }

    /// A sample of the last family; `suffix` belongs to the parts of a histogram.
    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.0.push_str(&format!("{}{suffix}{labels} {value}\n", self.1));
    }

    /// A family of one sample.
    fn one(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample("", &[], value);
    }
}

pub(super) fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use live::Delays;
    use notices::{Attempts, ChannelState, State};

    use super::{Kind, Page, delays, notifications, seconds};

    /// Two channels of one kind are one line.
    #[test]
    fn notifications_by_kind() {
        let channel = |name: &str, kind, sent| ChannelState {
            name: name.to_owned(),
            kind,
            attempts: Attempts { sent, failed: 3, retried: 2, given_up: 1 },
            last_success: None,
            last_failure: None,
            pending: Vec::new(),
            given_up: Vec::new(),
        };
        let channels = vec![channel("duty", "dingtalk", 5), channel("mail", "email", 7), channel("dba", "dingtalk", 1)];
        let mut page = Page::default();
        notifications(&mut page, &State { seen: 0, broken: None, channels });
        let lines: Vec<&str> = page.0.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "faultscope_notifications_sent_total{kind=\"dingtalk\"} 6",
            "faultscope_notifications_sent_total{kind=\"email\"} 7",
            "faultscope_notifications_failed_total{kind=\"dingtalk\"} 6",
            "faultscope_notifications_failed_total{kind=\"email\"} 3",
            "faultscope_notifications_retried_total{kind=\"dingtalk\"} 4",
            "faultscope_notifications_retried_total{kind=\"email\"} 2",
            "faultscope_notifications_given_up_total{kind=\"dingtalk\"} 2",
            "faultscope_notifications_given_up_total{kind=\"email\"} 1",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_page() {
        let mut page = Page::default();
        page.family("a_total", Kind::Counter, "One\nline.");
        page.sample("", &[("name", "say \"hi\" \\\n"), ("other", "数据库")], 3);
        page.one("b_seconds", Kind::Gauge, "Another.", seconds(1_500));
        let expected = "# HELP a_total One\\nline.\n# TYPE a_total counter\n\
            a_total{name=\"say \\\"hi\\\" \\\\\\n\",other=\"数据库\"} 3\n\
            # HELP b_seconds Another.\n# TYPE b_seconds gauge\nb_seconds 1.5\n";
        assert_eq!(page.0, expected);
    }

    #[test]
    fn a_histogram_adds_up() {
        let mut page = Page::default();
        delays(&mut page, &Delays { buckets: [1, 0, 2, 0, 0, 0, 0, 0, 0, 0], count: 4, sum: 120_250 });
        let lines: Vec<&str> = page.0.lines().skip(2).collect();
        assert_eq!(lines.first(), Some(&"faultscope_time_to_diagnosis_seconds_bucket{le=\"0.05\"} 1"));
        assert_eq!(lines.get(2), Some(&"faultscope_time_to_diagnosis_seconds_bucket{le=\"0.25\"} 3"));
        let last = [
            "faultscope_time_to_diagnosis_seconds_bucket{le=\"60\"} 3",
            "faultscope_time_to_diagnosis_seconds_bucket{le=\"+Inf\"} 4",
            "faultscope_time_to_diagnosis_seconds_sum 120.25",
            "faultscope_time_to_diagnosis_seconds_count 4",
        ];
        assert!(lines.ends_with(&last), "{lines:?}");
    }

    #[test]
    fn times_in_seconds() {
        for (milliseconds, expected) in [(0, "0"), (50, "0.05"), (1_000, "1"), (-1_250, "-1.25"), (60_000, "60")] {
            assert_eq!(seconds(milliseconds), expected);
        }
    }
}
