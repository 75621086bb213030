//! The parts of `sources.yaml` about external models: `scores`, series that are scores, and `scorers`, which are queried over HTTP.

use crate::mapping_rules::{ScoreSeries, Scorer};
use crate::scale::Scale;
use diag::{Code, Diagnostic, Place, Text, address, did_you_mean, is_secret, nearest, text};
use estate::parse_duration;
use value::yaml::Node;
use value::{Duration, SECOND, Time};

use super::Reader;

/// The default timeout of a scorer; an engineer is waiting for the diagnosis.
const DEFAULT_TIMEOUT: Duration = 2 * SECOND;

/// The maximum timeout: a slower diagnosis is of no use during an incident.
const MAX_TIMEOUT: Duration = 30 * SECOND;

impl Reader {
    pub(super) fn score(&mut self, node: &Node) -> Option<ScoreSeries> {
        if !self.fields(node, &["series", "metric", "scale", "origin", "labels"]) {
            return None;
        }
        let series = self.required(node, "series");
        let metric = self.text(node, "metric");
        let scale = self.scale(node);
        let source = self.required(node, "origin");
        let labels = self.labels(node, "labels");
        Some(ScoreSeries { series: series?, metric: metric.ok()?, scale: scale?, source: source?, labels: labels?, place: node.place })
    }

    fn scale(&mut self, node: &Node) -> Option<Scale> {
        let Some(name) = self.text(node, "scale").ok()? else { return Some(Scale::default()) };
        let found = Scale::parse(&name);
        if found.is_none() {
            let place = node.get("scale").map_or(node.place, |n| n.place);
            let names = Scale::NAMES.iter().map(|(name, _)| *name);
            let help = nearest(&name, names.clone())
                .map_or_else(|| text!("known scales: {}", names.clone().collect::<Vec<_>>().join(", ")), did_you_mean);
            self.diagnostics.push(Diagnostic::error(Code::BAD_PLACEMENT, place, text!("unknown scale `{}`", name)).help(help));
        }
        found
    }

    /// `earlier`: the scorers of the same file so far; names must be unique.
    pub(super) fn scorer(&mut self, node: &Node, earlier: &[Scorer]) -> Option<Scorer> {
        if !self.fields(node, &["name", "url", "timeout", "headers"]) {
            return None;
        }
        let name = self.required(node, "name");
        let url = self.url(node);
        let timeout = self.timeout(node);
        let headers = self.labels(node, "headers");
        for (name, value) in headers.iter().flatten() {
            if is_secret(name) && !value.starts_with('$') {
                let place = node.get("headers").and_then(|headers| headers.get(name)).map_or(node.place, |value| value.place);
                self.secret(place, text!("header `{}` of this scorer contains a literal secret", name));
            }
        }
        let name = name?;
        if earlier.iter().any(|scorer| scorer.name == name) {
            let place = node.get("name").map_or(node.place, |n| n.place);
            self.bad(place, text!("duplicate scorer `{}`", name), "scores are labeled with the name of their scorer: choose another name");
            return None;
        }
        Some(Scorer { name, url: url?, timeout: timeout?, headers: headers? })
    }

    /// Warns, because many people can read what is in git.
    fn secret(&mut self, place: Place, message: impl Into<Text>) {
        let help = text!("set an environment variable and name it in a header, like `headers: {authorization: $SCORER_TOKEN}`");
        self.diagnostics.push(Diagnostic::warning(Code::SECRET, place, message).help(help));
    }

    fn url(&mut self, node: &Node) -> Option<String> {
        let url = self.required(node, "url")?;
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        if host.is_none_or(str::is_empty) {
            let place = node.get("url").map_or(node.place, |n| n.place);
            self.bad(
                place,
                text!("invalid address `{}` of a scorer", address(&url)),
                "use an `http` or `https` address, like `http://127.0.0.1:9000/score`",
            );
            return None;
        }
        let place = node.get("url").map_or(node.place, |n| n.place);
        let (before, query) = url.split_once('?').unwrap_or((&url, ""));
        let in_query = query.split('&').any(|pair| pair.split_once('=').is_some_and(|(key, value)| is_secret(key) && !value.is_empty()));
        // A password may contain a `?` that should have been encoded.
        let in_password = query.rsplit_once('@').is_some_and(|(user, _)| !user.contains('='));
        if before.contains('@') || in_query || in_password {
            self.secret(place, "the address of this scorer contains a secret");
        }
        Some(url)
    }

    fn timeout(&mut self, node: &Node) -> Option<Duration> {
        let Some(text) = self.text(node, "timeout").ok()? else { return Some(DEFAULT_TIMEOUT) };
        let place = node.get("timeout").map_or(node.place, |n| n.place);
        match parse_duration(&text) {
            Some(timeout) if timeout <= MAX_TIMEOUT => Some(timeout),
            Some(_) => {
                let help = text!("a diagnosis waits for the scorer: let it precompute whatever takes longer");
                self.bad(place, text!("timeout `{}` exceeds the maximum of a scorer, {}", text, Time::describe(MAX_TIMEOUT)), help);
                None
            }
            None => {
                self.bad(place, text!("invalid duration `{}`", text), "use a number and a unit, like `2s` or `500ms`");
                None
            }
        }
    }
}
