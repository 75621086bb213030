//! Every word is true: the claims of a diagnosis are computed again from its JSON, for every recording in the repository.

use std::collections::BTreeMap;

use crate::common::{bundles, root, shared};
use serde_json::Value;

/// As in `localize/proposal.rs`: within it, nothing is said to be earlier or later.
const TOLERANCE: i64 = 5 * 60_000;

fn time(value: &Value) -> i64 {
    value::Time::parse(value.as_str().unwrap_or_default()).map_or(i64::MIN, |time| time.0)
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// The number at the start of a value with a unit: `93.1%`, `1,200`.
fn number(value: &str) -> Option<f64> {
    let digits: String = value.chars().take_while(|c| c.is_ascii_digit() || ".-eE+".contains(*c)).collect();
    digits.parse().ok()
}

fn unit(value: &str) -> &str {
    value.trim_start_matches(|c: char| c.is_ascii_digit() || ".-".contains(c))
}

struct Claims<'d> {
    diagnosis: &'d Value,
    wrong: Vec<String>,
}

impl Claims<'_> {
    fn claim(&mut self, holds: bool, what: impl Into<String>) {
        if !holds {
            self.wrong.push(what.into());
        }
    }

    /// When the signals of every list began, by component.
    fn signs(&self) -> BTreeMap<String, Vec<i64>> {
        let suspects = list(self.diagnosis, "incidents").iter().flat_map(|incident| list(incident, "suspects"));
        let explained = suspects.flat_map(|suspect| list(suspect, "explains"));
        let all = explained.chain(list(self.diagnosis, "unexplained"));
        let mut signs: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for signal in all.filter(|signal| signal["component"].is_string()) {
            signs.entry(text(signal, "component").to_owned()).or_default().push(time(&signal["time"]));
        }
        signs
    }

    fn all(mut self) -> Vec<String> {
        let diagnosis = self.diagnosis;
        for incident in list(diagnosis, "incidents") {
            self.incident(incident);
        }
        for miss in list(diagnosis, "near_misses") {
            self.evidence(&miss["lacked"], false);
        }
        for change in list(diagnosis, "changes") {
            let incident = &list(diagnosis, "incidents")[usize::try_from(change["incident"].as_u64().unwrap()).unwrap() - 1];
            let suspects = list(incident, "suspects");
            let at = time(&change["time"]);
            let roots = suspects.iter().filter(|suspect| suspect["explained_by"].is_null());
            let first = roots.map(|suspect| time(&suspect["since"])).min().unwrap_or(i64::MAX);
            let own = suspects.iter().filter(|suspect| suspect["component"] == change["component"]).map(|suspect| time(&suspect["since"]));
            let before = own.min_by_key(|began| (*began < at, *began)).unwrap_or(first) - at;
            self.claim(change["before"].as_i64() == Some(before), format!("a change is {before} ms before: {change}"));
            self.claim(change["after"].as_bool() == Some(before < 0), format!("`after` is wrong: {change}"));
            let on = suspects.iter().any(|suspect| suspect["component"] == change["component"]);
            self.claim(change["on_suspect"].as_bool() == Some(on), format!("`on_suspect` is wrong: {change}"));
        }
        for (place, advice) in list(diagnosis, "solutions").iter().enumerate().filter(|(_, advice)| !advice["undo"].is_null()) {
            let undo = &advice["undo"];
            let of = |c: &&Value| c["incident"] == advice["incident"] && c["time"] == undo["at"] && c["component"] == undo["component"];
            let change = list(diagnosis, "changes").iter().find(of);
            self.claim(change.is_none_or(|c| c["after"] == false), format!("undoes what came after: {undo}"));
            self.claim(undo["before"].as_i64().is_some_and(|before| before >= 0), format!("undoes what came after: {undo}"));
            let earlier = list(diagnosis, "solutions")[..place].iter().any(|other| other["incident"] == advice["incident"]);
            self.claim(!earlier, format!("undoing is not the first suggestion: {undo}"));
        }
        self.wrong
    }

    fn incident(&mut self, incident: &Value) {
        let suspects = list(incident, "suspects");
        let roots: Vec<&Value> = suspects.iter().filter(|suspect| suspect["explained_by"].is_null()).collect();
        let number = &incident["number"];
        let explained = suspects.iter().flat_map(|suspect| list(suspect, "explains")).filter(|signal| text(signal, "kind") != "metric");
        self.claim(incident["explained"].as_u64() == Some(explained.count() as u64), format!("incident {number}: `explained` is no sum"));
        self.claim(
            incident["explained"].as_u64() <= incident["symptoms"].as_u64(),
            format!("incident {number}: more explained than there is"),
        );
        let lasts = roots.iter().any(|suspect| suspect["until"].is_null());
        self.claim(incident["until"].is_null() || !lasts, format!("incident {number} is over, and a root suspect of it lasts"));
        let at = time(&self.diagnosis["at"]);
        let times = suspects.iter().flat_map(|s| [&s["since"], &s["until"]]).chain([&incident["since"], &incident["until"]]);
        let late = times.filter(|value| value.is_string()).any(|value| time(value) > at);
        self.claim(!late, format!("incident {number} knows the future"));
        // Rivals exclude each other: at most one is right.
        let mut by_component: BTreeMap<&str, f64> = BTreeMap::new();
        for root in &roots {
            *by_component.entry(text(root, "component")).or_default() += root["confidence"].as_f64().unwrap_or_default();
        }
        for (component, sum) in by_component {
            self.claim(sum <= 1.001, format!("incident {number}: the faults of {component} are {sum} sure together"));
        }
        for suspect in suspects {
            self.suspect(suspect, suspects);
        }
        for view in list(incident, "impact") {
            let path: Vec<&str> = list(view, "path").iter().filter_map(Value::as_str).collect();
            self.claim(path.last() == Some(&text(view, "component")), format!("the path does not end at {}", text(view, "component")));
        }
    }

    fn suspect(&mut self, suspect: &Value, all: &[Value]) {
        let who = text(suspect, "component");
        let since = time(&suspect["since"]);
        self.claim(suspect["until"].is_null() || time(&suspect["until"]) >= since, format!("{who} ended before it began"));
        if let Some(by) = suspect["explained_by"].as_str() {
            let cause = all.iter().find(|other| text(other, "component") == by);
            let earlier = cause.is_some_and(|cause| time(&cause["since"]) <= since + TOLERANCE);
            self.claim(earlier, format!("{who} is a consequence of {by}, which is not there or began later"));
        }
        // What it explains began no earlier than it, within the tolerance. Its own metrics (of a service those of its pods), and those that
        // its rules rest on, may have strayed before they decided anything; and what was on at the same component is the same trouble.
        let sources: Vec<&Value> = list(suspect, "evidence").iter().flat_map(|view| list(view, "sources")).map(|s| &s["origin"]).collect();
        for signal in list(suspect, "explains") {
            let own = text(signal, "component").starts_with(who) || sources.contains(&&signal["origin"]);
            let early =
                time(&signal["time"]) < since - TOLERANCE && !(text(signal, "kind") == "metric" && own) && text(signal, "component") != who;
            self.claim(!early, format!("{who} since {since} explains what began before: {signal}"));
        }
        for view in list(suspect, "evidence") {
            self.evidence(view, true);
        }
        let signs = self.signs();
        for reason in ["reasons", "against", "look"].iter().flat_map(|key| list(suspect, key)) {
            self.claim(!text(reason, "text").is_empty(), format!("{who}: a reason without words: {reason}"));
            match text(reason, "code") {
                "metric" => {
                    let (value, usual) = (text(reason, "value"), text(reason, "usual"));
                    if let (Some(is), Some(was), true) = (number(value), number(usual), unit(value) == unit(usual)) {
                        let high = reason["high"] == true;
                        self.claim(
                            if high { is >= was } else { is <= was },
                            format!("{who}: {value} against the usual {usual}, high {high}"),
                        );
                    }
                }
                "beyond" => {
                    if let (Some(is), Some(limit)) = (number(text(reason, "value")), number(text(reason, "threshold"))) {
                        let high = reason["high"] == true;
                        self.claim(
                            if high { is >= limit } else { is <= limit },
                            format!("{who}: {is} against a threshold of {limit}, high {high}"),
                        );
                    }
                }
                "reaches" => {
                    for component in list(reason, "components").iter().filter_map(Value::as_str) {
                        let later = signs.get(component).is_none_or(|signs| signs.iter().any(|began| *began >= since - TOLERANCE));
                        self.claim(later, format!("{component} did not fail at about the same time as {who} or later"));
                    }
                }
                "alerting" => {
                    let components = list(reason, "components").iter().filter_map(Value::as_str);
                    let silent: Vec<&str> = components.filter(|component| !signs.contains_key(*component)).collect();
                    self.claim(silent.is_empty(), format!("{silent:?} have no alert"));
                }
                "check_next" => {
                    let later = reason["later"].as_i64().unwrap();
                    let apart = |began: &i64| (began - since).signum() == later.signum() || (began - since - later).abs() <= TOLERANCE;
                    let told = signs.get(text(reason, "component")).is_none_or(|signs| signs.iter().any(apart));
                    let named =
                        all.iter().filter(|other| other["component"] == reason["component"]).any(|other| apart(&time(&other["since"])));
                    self.claim(later == 0 || told || named, format!("{who}: {reason}"));
                }
                _ => {}
            }
        }
    }

    /// A condition that counts for a rule holds; what was found says the same as its truth.
    fn evidence(&mut self, view: &Value, counts: bool) {
        let truth = text(view, "truth");
        self.claim(!counts || truth == "true", format!("a condition that does not hold is evidence: {}", text(view, "text")));
        let negated = view["negated"] == true;
        let holds = match truth {
            "true" => !negated,
            "false" => negated,
            _ => return,
        };
        let found = &view["found"];
        match text(found, "code") {
            "counted" => {
                let enough = found["found"].as_u64() >= found["needed"].as_u64();
                self.claim(enough == holds, format!("counted otherwise: {view}"));
            }
            "compared" => {
                let (value, threshold) = (text(found, "value"), text(found, "threshold"));
                let (Some(is), Some(bound)) = (number(value), number(threshold)) else { return };
                if unit(value) != unit(threshold) || is == bound {
                    return;
                }
                let expected = match text(found, "op") {
                    "<" | "<=" => is < bound,
                    ">" | ">=" => is > bound,
                    "!=" => true,
                    _ => false,
                };
                self.claim(expected == holds, format!("{value} {} {threshold} is not {holds}", text(found, "op")));
                let side = text(&found["gap"], "side");
                self.claim(side == if is > bound { "above" } else { "below" }, format!("{value} is not {side} {threshold}"));
            }
            _ => {}
        }
    }
}

/// What a diagnosis claims and its own data contradicts.
pub fn false_claims(diagnosis: &localize::Diagnosis) -> Vec<String> {
    let diagnosis = serde_json::to_value(diagnosis).unwrap();
    Claims { diagnosis: &diagnosis, wrong: Vec::new() }.all()
}

fn check(dirs: &[std::path::PathBuf]) {
    let mut wrong = Vec::new();
    for dir in dirs {
        let project = project::find_project(dir).unwrap_or_else(root);
        let project = project::Project::load(&project).unwrap();
        let bundle = project::load_bundle(&project, dir, dir.parent().unwrap(), project::Options::default());
        let Ok(bundle) = bundle else { continue };
        wrong.extend(false_claims(&bundle.diagnose()).into_iter().map(|what| format!("{}: {what}", dir.display())));
    }
    assert!(wrong.is_empty(), "{} false claims\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn reports_of_our_recordings_tell_the_truth() {
    let mut dirs = bundles(&root().join("cases"));
    dirs.extend(bundles(&root().join("tests/incidents")));
    dirs.extend(bundles(&root().join("tests/incidents-anomaly")));
    assert!(dirs.len() >= 30, "{} bundles", dirs.len());
    check(&dirs);
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn reports_of_labelled_incidents_tell_the_truth() {
    check(&bundles(&shared("data/bundles")));
}
