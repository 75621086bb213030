//! What to ask: series that rules read and nobody sends, several in one request.

use std::collections::BTreeMap;

use signal::{Facts, Wanted};
use value::{Duration, SECOND, Time};

use crate::metrics::{escaped, seconds};

/// Bytes of all names in one request: what proxies and servers take in any case.
const MAX_NAMES: usize = 4_096;

/// Values of a query are asked for this often, and as often as the server is asked, if that is more often.
const STEP: Duration = 30 * SECOND;

/// One request, to be made for as many stretches of time as needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask<'w> {
    pub of: Vec<&'w Wanted>,
    pub query: String,
    /// What the answer is called, if it is that of a query and not of series.
    pub name: Option<&'w str>,
    /// Up to here it was fetched before.
    pub from: Time,
}

/// The requests for series, each with the instant up to which it was fetched before.
pub fn asks<'w>(due: impl IntoIterator<Item = (&'w Wanted, Time)>) -> Vec<Ask<'w>> {
    let mut together: BTreeMap<(&BTreeMap<String, String>, Time), Vec<&'w Wanted>> = BTreeMap::new();
    let mut asks = Vec::new();
    for (wanted, from) in due {
        match &wanted.query {
            Some(query) => asks.push(Ask { of: vec![wanted], query: query.clone(), name: Some(&wanted.series), from }),
            None => together.entry((&wanted.labels, from)).or_default().push(wanted),
        }
    }
    for ((labels, from), mut rest) in together {
        while !rest.is_empty() {
            let mut bytes = 0;
            let fitting = rest.iter().take_while(|wanted| {
                bytes += wanted.series.len() + 1;
                bytes <= MAX_NAMES
            });
            // One name alone is asked for, however long it is.
            let count = fitting.count().max(1);
            let later = rest.split_off(count);
            asks.push(Ask { query: selector(&rest, labels), of: rest, name: None, from });
            rest = later;
        }
    }
    asks
}

/// `{__name__=~"a|b",mode="idle"}`
fn selector(of: &[&Wanted], labels: &BTreeMap<String, String>) -> String {
    let names: Vec<String> = of.iter().map(|wanted| regex::escape(&wanted.series)).collect();
    let first = format!("__name__=~\"{}\"", escaped(&names.join("|")));
    let labels = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    let all: Vec<String> = [first].into_iter().chain(labels).collect();
    format!("{{{}}}", all.join(","))
}

impl Ask<'_> {
    /// Path and form of the request for what is after `from` and until `until`. `None`: nothing lies there.
    ///
    /// Series are asked for as they were sampled (`query` with a range), so that a sample has the same time whoever brings it. Values of a
    /// query have times of our choice: multiples of a step, so that none comes twice.
    pub fn request(&self, from: Time, until: Time, every: Duration) -> Option<(&'static str, Vec<(&'static str, String)>)> {
        if self.name.is_none() {
            let query = format!("{}[{}ms]", self.query, until.since(from));
            return Some(("/api/v1/query", vec![("query", query), ("time", seconds(until.0))]));
        }
        let step = every.clamp(SECOND, STEP);
        let (first, last) = ((from.0.div_euclid(step) + 1) * step, until.0.div_euclid(step) * step);
        let pairs = || vec![("query", self.query.clone()), ("start", seconds(first)), ("end", seconds(last)), ("step", seconds(step))];
        (first <= last).then(|| ("/api/v1/query_range", pairs()))
    }
}

/// The newest sample of a wanted series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Newest {
    /// Whoever brought it.
    pub any: Option<Time>,
    /// Of series whose first sample somebody was asked for.
    pub asked: Option<Time>,
}

/// The newest sample of each wanted series, in their order. A series that has ended has none.
pub fn newest(facts: &Facts, wanted: &[Wanted]) -> Vec<Newest> {
    let asked = format!("{} ", ingest::Protocol::Pull.name());
    let mut found = vec![Newest::default(); wanted.len()];
    let mut called: BTreeMap<&str, Vec<(&Wanted, &mut Newest)>> = BTreeMap::new();
    for (one, newest) in wanted.iter().zip(&mut found) {
        called.entry(one.series.as_str()).or_default().push((one, newest));
    }
    for series in &facts.series {
        let Some(of) = series.labels.get("__name__").and_then(|name| called.get_mut(name.as_str())) else { continue };
        let Some((time, _)) = series.points.last().filter(|(_, value)| !value.is_nan()) else { continue };
        for (_, newest) in of.iter_mut().filter(|(wanted, _)| wanted.fits(&series.labels)) {
            newest.any = newest.any.max(Some(*time));
            if series.origin.file.starts_with(&asked) {
                newest.asked = newest.asked.max(Some(*time));
            }
        }
    }
    drop(called);
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use signal::Wanted;
    use value::{MINUTE, SECOND, Time};

    use super::{MAX_NAMES, asks};

    fn wanted(series: &str, labels: &[(&str, &str)], query: Option<&str>) -> Wanted {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>();
        Wanted { series: series.to_owned(), labels, query: query.map(str::to_owned), staleness: 5 * MINUTE }
    }

    #[test]
    fn what_goes_together() {
        let now = Time(1_000 * MINUTE);
        let earlier = now.minus(MINUTE);
        let all = [
            (wanted("cpu", &[], None), earlier),
            (wanted("cpu_percent", &[], None), earlier),
            (wanted("new", &[], None), earlier.minus(MINUTE)),
            (wanted("node_cpu_seconds_total", &[("mode", "i\"d\\le")], None), earlier),
            (wanted("odd.名", &[], None), earlier),
            (wanted("rates", &[], Some("rate(x[5m])")), earlier),
        ];
        let found = asks(all.iter().map(|(wanted, from)| (wanted, *from)));
        let shown: Vec<String> = found
            .iter()
            .map(|ask| {
                let (path, form) = ask.request(ask.from, now, 15 * SECOND).unwrap_or_default();
                let form: Vec<String> = form.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("{path} {}", form.join(" "))
            })
            .collect();
        let expected = [
            "/api/v1/query_range query=rate(x[5m]) start=59955 end=60000 step=15",
            r#"/api/v1/query query={__name__=~"new"}[120000ms] time=60000"#,
            r#"/api/v1/query query={__name__=~"cpu|cpu_percent|odd\\.名"}[60000ms] time=60000"#,
            r#"/api/v1/query query={__name__=~"node_cpu_seconds_total",mode="i\"d\\le"}[60000ms] time=60000"#,
        ];
        assert_eq!(shown, expected);
    }

    /// No instant is asked for twice, and none is left out.
    #[test]
    fn values_of_a_query_come_once() {
        let one = wanted("rates", &[], Some("rate(x[5m])"));
        let found = asks([(&one, Time(0))]);
        let mut instants = Vec::new();
        for (from, until) in [(0, 10), (10, 31), (31, 60), (60, 61), (61, 95)] {
            let form = found.iter().filter_map(|ask| ask.request(Time(from * SECOND), Time(until * SECOND), MINUTE));
            for (_, form) in form {
                let number = |key: &str| form.iter().find(|(name, _)| *name == key).and_then(|(_, value)| value.parse::<u64>().ok());
                let (Some(start), Some(end)) = (number("start"), number("end")) else { continue };
                instants.extend((start..=end).step_by(30));
            }
        }
        assert_eq!(instants, [30, 60, 90]);
    }

    #[test]
    fn many_names_are_several_requests() {
        let all: Vec<Wanted> = (0..500).map(|number| wanted(&format!("a_series_with_number_{number:04}"), &[], None)).collect();
        let found = asks(all.iter().map(|wanted| (wanted, Time(0))));
        assert_eq!(found.iter().map(|ask| ask.of.len()).sum::<usize>(), 500);
        assert!(found.len() > 2 && found.iter().all(|ask| ask.query.len() < MAX_NAMES + 100), "{}", found.len());
        let long = wanted(&"x".repeat(2 * MAX_NAMES), &[], None);
        assert_eq!(asks([(&long, Time(0))]).len(), 1);
    }
}
