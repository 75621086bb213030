//! The laws of an answer: stories that a person can read (`tests/answer/stories.yaml`), and properties over random alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::common::root;
use localize::Diagnosis;
use project::{Options, Project, load_bundle};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    tells: String,
    topology: Vec<String>,
    #[serde(default)]
    tiers: BTreeMap<String, String>,
    alerts: Vec<String>,
    /// Error lines.
    #[serde(default)]
    lines: Vec<String>,
    /// Components with a metric that shows nothing.
    #[serde(default)]
    measured: Vec<String>,
    /// It is asked so many hours later.
    #[serde(default)]
    later: u32,
    #[serde(default)]
    severities: BTreeMap<String, String>,
    /// The model, in addition to the built-in one.
    #[serde(default)]
    model: String,
    /// Further labels, by the name of the alert.
    #[serde(default)]
    labels: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default)]
    rules: String,
    /// The service that a past case blames, and the alerts of the case.
    #[serde(default)]
    case: String,
    expected: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    suspects: Vec<String>,
    suppressed: Option<Vec<String>>,
    unexplained: Option<Vec<String>>,
    #[serde(default)]
    alike: Vec<String>,
    /// By the impact of all incidents, nearest first.
    affected: Option<Vec<String>>,
    confidence: Option<f64>,
    /// Of the first incident: its severity, and the minute at which it began.
    severity: Option<String>,
    since: Option<u32>,
    /// No suspect of an incident is surer than one above it.
    #[serde(default)]
    falling: bool,
}

/// A component, an alert on it, and the minutes of its start and end.
#[derive(Debug, Clone)]
struct Alert {
    name: String,
    component: String,
    start: u32,
    end: Option<u32>,
    severity: String,
    labels: BTreeMap<String, String>,
}

fn alert(text: &str, story: &Story) -> Alert {
    let words: Vec<&str> = text.split(' ').collect();
    let minute = |at: usize| words.get(at).map(|word| word.parse().unwrap());
    let name = words[0].to_owned();
    let severity = story.severities.get(&name).cloned().unwrap_or_else(|| "critical".to_owned());
    let labels = story.labels.get(&name).cloned().unwrap_or_default();
    Alert { component: words[1].to_owned(), start: minute(2).unwrap(), end: minute(3), name, severity, labels }
}

fn kind(id: &str) -> &'static str {
    if id.ends_with("-db") {
        "database"
    } else if id.starts_with("vm") {
        "host"
    } else if id.contains("-pod") {
        "pod"
    } else {
        "service"
    }
}

/// What is diagnosed.
#[derive(Default)]
struct World<'w> {
    relations: &'w [String],
    tiers: BTreeMap<String, String>,
    alerts: &'w [Alert],
    lines: &'w [String],
    measured: &'w [String],
    later: u32,
    model: &'w str,
    rules: &'w str,
    case: &'w str,
}

fn diagnose(name: &str, relations: &[String], tiers: &BTreeMap<String, String>, alerts: &[Alert], rules: &str) -> Diagnosis {
    diagnosed(name, &World { relations, tiers: tiers.clone(), alerts, rules, ..World::default() })
}

/// The diagnosis half an hour after minute 0, or some hours later.
fn diagnosed(name: &str, world: &World<'_>) -> Diagnosis {
    let World { relations, tiers, alerts, lines, measured, later, model, rules, case } = world;
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("answer").join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("rules")).unwrap();
    fs::create_dir_all(dir.join("bundle")).unwrap();
    fs::write(dir.join("rules/all.rules"), rules).unwrap();
    if let Some((component, alerts)) = case.split_once(' ') {
        let alerts: Vec<&str> = alerts.split(' ').collect();
        let root = json!({"component": component, "type": "service", "fault": "cache full"});
        let case = json!({"id": "HIS-20250101", "title": "cache full", "root_cause": root, "symptoms": {"alerts": alerts}, "affected": ["service"]});
        fs::create_dir_all(dir.join("cases/HIS-20250101")).unwrap();
        fs::write(dir.join("cases/HIS-20250101/case.yaml"), case.to_string()).unwrap();
    }
    if !model.is_empty() {
        fs::create_dir_all(dir.join("topology")).unwrap();
        fs::write(dir.join("topology/model.yaml"), model).unwrap();
    }
    let ends = |relation: &String| {
        let words: Vec<String> = relation.split(' ').map(str::to_owned).collect();
        (words[0].clone(), words[1].clone(), words[2].clone())
    };
    let ids: BTreeSet<String> = relations.iter().map(ends).flat_map(|(from, _, to)| [from, to]).collect();
    let component = |id: &String| {
        tiers.get(id).map_or_else(|| json!({"id": id, "type": kind(id)}), |tier| json!({"id": id, "type": kind(id), "tier": tier}))
    };
    let relation = |text: &String| {
        let (from, kind, to) = ends(text);
        json!({"from": from, "kind": kind, "to": to})
    };
    let topology = json!({
        "components": ids.iter().map(component).collect::<Vec<_>>(),
        "relations": relations.iter().map(relation).collect::<Vec<_>>(),
    });
    fs::write(dir.join("bundle/topology.json"), topology.to_string()).unwrap();
    let time = |minute: u32| format!("2025-06-01T10:{minute:02}:00Z");
    let one = |alert: &Alert| {
        let mut labels = json!({"alertname": alert.name, "component": alert.component, "severity": alert.severity});
        for (name, value) in &alert.labels {
            labels[name.as_str()] = json!(value);
        }
        match alert.end {
            Some(end) => json!({"labels": labels, "startsAt": time(alert.start), "endsAt": time(end), "status": "resolved"}),
            None => json!({"labels": labels, "startsAt": time(alert.start), "status": "firing"}),
        }
    };
    fs::write(dir.join("bundle/alerts.json"), json!(alerts.iter().map(one).collect::<Vec<_>>()).to_string()).unwrap();
    if !lines.is_empty() {
        let stream = |line: &String| {
            let words: Vec<&str> = line.split(' ').collect();
            let at = value::Time::parse(&time(words[2].parse().unwrap())).unwrap().0;
            json!({"stream": {"component": words[1], "level": "error"}, "values": [[format!("{at}000000"), words[0]]]})
        };
        let result: Vec<_> = lines.iter().map(stream).collect();
        let logs = json!({"status": "success", "data": {"resultType": "streams", "result": result}});
        fs::write(dir.join("bundle/logs.json"), logs.to_string()).unwrap();
    }
    if !measured.is_empty() {
        let start = value::Time::parse("2025-06-01T09:30:00Z").unwrap().0 / 1000 + i64::from(*later) * 3600;
        let values: Vec<_> = (0..=60).map(|minute| json!([start + minute * 60, "1"])).collect();
        let series = |id: &String| json!({"metric": {"__name__": "up", "component": id}, "values": values});
        let result: Vec<_> = measured.iter().map(series).collect();
        let metrics = json!({"status": "success", "data": {"resultType": "matrix", "result": result}});
        fs::write(dir.join("bundle/metrics.json"), metrics.to_string()).unwrap();
    }
    let project = Project::load(&dir).unwrap();
    let errors: Vec<String> = project.diagnostics.iter().filter(|d| d.is_error()).map(|d| d.message.to_string()).collect();
    assert!(errors.is_empty(), "{name}: {errors:?}");
    let options = Options { at: value::Time::parse(&format!("2025-06-01T{}:30:00Z", 10 + later)), ..Options::default() };
    load_bundle(&project, &dir.join("bundle"), &dir, options).unwrap().diagnose()
}

#[test]
fn stories_have_their_answers() {
    let text = fs::read_to_string(root().join("tests/answer/stories.yaml")).unwrap();
    let stories: Vec<Story> = serde_saphyr::from_str(&text).unwrap();
    let mut wrong = Vec::new();
    for (number, one) in stories.iter().enumerate() {
        let alerts: Vec<Alert> = one.alerts.iter().map(|text| alert(text, one)).collect();
        let world = World {
            relations: &one.topology,
            tiers: one.tiers.clone(),
            alerts: &alerts,
            lines: &one.lines,
            measured: &one.measured,
            later: one.later,
            model: &one.model,
            rules: &one.rules,
            case: &one.case,
        };
        let diagnosis = diagnosed(&format!("story-{number}"), &world);
        let suspects = || diagnosis.incidents.iter().flat_map(|incident| &incident.suspects);
        let said: Vec<String> = suspects().map(|s| format!("{} {}", s.component.as_deref().unwrap_or("-"), s.layer.name())).collect();
        let suppressed: Vec<String> = diagnosis.suppressed.iter().map(|one| one.signal.text.clone()).collect();
        let alike: Vec<String> = diagnosis.incidents.iter().flat_map(|incident| incident.alike.clone()).collect();
        let affected: Vec<String> =
            diagnosis.incidents.iter().flat_map(|incident| &incident.impact).map(|view| view.component.clone()).collect();
        let expected = &one.expected;
        let first = diagnosis.incidents.first();
        let severity = first.map(|incident| json!(incident.severity));
        let since = first.map(|incident| incident.since.to_string());
        let minute = |since: u32| value::Time::parse(&format!("2025-06-01T10:{since:02}:00Z")).map(|time| time.to_string());
        let sure = suspects().next().map(|suspect| suspect.confidence);
        if said != expected.suspects
            || (expected.suppressed.as_ref().is_some_and(|list| *list != suppressed))
            || expected.unexplained.as_ref().is_some_and(|list| !list.iter().eq(diagnosis.unexplained.iter().map(|one| &one.text)))
            || (!expected.alike.is_empty() && alike != expected.alike)
            || expected.affected.as_ref().is_some_and(|list| *list != affected)
            || (expected.falling && !diagnosis.incidents.iter().all(|i| i.suspects.is_sorted_by(|a, b| a.confidence >= b.confidence)))
            || expected.severity.as_ref().is_some_and(|wanted| severity != Some(json!(wanted)))
            || expected.since.is_some_and(|wanted| since != minute(wanted))
            || expected.confidence.is_some_and(|wanted| sure.is_none_or(|sure| (sure - wanted).abs() > 0.0006))
        {
            wrong.push(format!(
                "{}: {said:?}, suppressed {suppressed:?}, alike {alike:?}, affected {affected:?}, first {sure:?}, {severity:?} since {since:?}",
                one.tells
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Two lines that tell of a change, and of nothing else.
const OF_CHANGE: [&str; 2] = ["cart image moved to the newest tag", "warmers of the basket cache restarted"];

/// Whether a past case whose cause was a deployment is proposed for an incident after a deployment, with these alerts and quiet log lines.
fn proposes_case(name: &str, alerts: &[&str], lines: &[&str]) -> bool {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("answer").join(name);
    let _ = fs::remove_dir_all(&dir);
    for folder in ["rules", "cases/HIS-20250101", "bundle"] {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    let [first, second] = OF_CHANGE;
    let case = format!(
        "id: HIS-20250101\ntitle: bad deployment\nroot_cause: {{component: cart, type: service, fault: faulty deployment}}\nsymptoms:\n  logs: [{first}, {second}]\nsolutions: [Roll back the deployment]\n"
    );
    fs::write(dir.join("cases/HIS-20250101/case.yaml"), case).unwrap();
    let topology = json!({"components": [{"id": "cart", "type": "service"}]});
    fs::write(dir.join("bundle/topology.json"), topology.to_string()).unwrap();
    let fired = |alert: &&str| json!({"labels": {"alertname": alert, "component": "cart", "severity": "critical"}, "startsAt": "2025-06-01T10:00:00Z", "status": "firing"});
    fs::write(dir.join("bundle/alerts.json"), json!(alerts.iter().map(fired).collect::<Vec<_>>()).to_string()).unwrap();
    let at = value::Time::parse("2025-06-01T09:56:00Z").unwrap().0;
    let values: Vec<_> = lines.iter().map(|line| json!([format!("{at}000000"), line])).collect();
    let stream = json!({"stream": {"component": "cart", "level": "info"}, "values": values});
    let logs = json!({"status": "success", "data": {"resultType": "streams", "result": [stream]}});
    fs::write(dir.join("bundle/logs.json"), logs.to_string()).unwrap();
    let change = json!({"specversion": "1.0", "id": "1", "source": "/ci", "type": "deploy", "time": "2025-06-01T09:55:00Z",
        "data": {"component": "cart", "summary": "cart 2.0"}});
    fs::write(dir.join("bundle/events.ndjson"), format!("{change}\n")).unwrap();
    let project = Project::load(&dir).unwrap();
    let options = Options { at: value::Time::parse("2025-06-01T10:30:00Z"), ..Options::default() };
    let diagnosis = load_bundle(&project, &dir.join("bundle"), &dir, options).unwrap().diagnose();
    diagnosis.incidents.iter().flat_map(|incident| &incident.suspects).any(|suspect| suspect.layer.name() == "knowledge")
}

#[test]
fn a_change_alone_brings_back_no_case() {
    assert!(!proposes_case("case-of-change", &["CartErrors"], &OF_CHANGE), "only the change is alike");
    assert!(proposes_case("case-of-trouble", &OF_CHANGE, &[]), "the alerts are those of the case");
}

const IDS: [&str; 7] = ["web", "cart", "pay", "cart-db", "pay-db", "vm1", "mail"];
const RULE: &str = "TOP-001 \"Host gone\" { given h: host  if alert \"Host\" on h  then impact dependents of h  suppress alerts on dependents of h }\n\
                    TOP-002 \"Database\" { given d: database  if alert \"Db\" on d  then impact dependents of d  fault \"down\" at d }\n";

/// Relations from earlier ids to later ones, so that there is no circle; and alerts of all kinds.
fn world() -> impl Strategy<Value = (Vec<String>, Vec<Alert>, bool)> {
    let relation = (0..IDS.len() - 1, 1..IDS.len()).prop_map(|(from, step)| {
        let to = (from + step).min(IDS.len() - 1).max(from + 1);
        format!("{} depends_on {}", IDS[from], IDS[to])
    });
    let name = prop::sample::select(vec!["Host", "Db", "Errors", "NoRequests"]);
    let alert = (name, 0..IDS.len(), 0_u32..30, prop::option::of(1_u32..20)).prop_map(|(name, at, start, length)| Alert {
        name: name.to_owned(),
        component: IDS[at].to_owned(),
        start,
        end: length.map(|length| (start + length).min(30)),
        severity: "warning".to_owned(),
        labels: BTreeMap::new(),
    });
    // One alert for each name and component: two deliveries with the same labels would be one.
    let alerts = prop::collection::vec(alert, 1..8).prop_map(|alerts: Vec<Alert>| {
        let mut seen = BTreeSet::new();
        alerts.into_iter().filter(|alert| seen.insert((alert.name.clone(), alert.component.clone()))).collect()
    });
    (prop::collection::vec(relation, 3..10), alerts, any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Severity and tier order the report; they accuse nobody, and change no confidence.
    #[test]
    fn importance_is_no_guilt((relations, alerts, with_rules) in world(), core in 0..IDS.len(), loud in 0..8_usize) {
        let rules = if with_rules { RULE } else { "" };
        let name = "property-importance";
        let plain = diagnose(name, &relations, &BTreeMap::new(), &alerts, rules);
        let tiers = BTreeMap::from([(IDS[core].to_owned(), "core".to_owned())]);
        let mut shouted = alerts.clone();
        if let Some(alert) = shouted.get_mut(loud) {
            alert.severity = "critical".to_owned();
        }
        let tiers: BTreeMap<String, String> = tiers.into_iter().filter(|(id, _)| relations.iter().any(|r| r.split(' ').any(|w| w == id))).collect();
        let important = diagnose(name, &relations, &tiers, &shouted, rules);
        // As sets of incidents: their order is what importance decides.
        let told = |diagnosis: &Diagnosis| {
            let suspects = |incident: &localize::Incident| {
                incident.suspects.iter().map(|s| (s.component.clone(), s.fault.clone(), s.confidence.to_bits(), s.explains.len())).collect::<Vec<_>>()
            };
            diagnosis.incidents.iter().map(suspects).collect::<BTreeSet<_>>()
        };
        prop_assert_eq!(told(&plain), told(&important));
    }

    /// What is over (and has settled) suppresses and explains nothing that began later, except at its own component.
    #[test]
    fn what_is_over_explains_nothing_later((relations, alerts, _) in world()) {
        let diagnosis = diagnose("property-lifetime", &relations, &BTreeMap::new(), &alerts, RULE);
        for suspect in diagnosis.incidents.iter().flat_map(|incident| &incident.suspects) {
            let Some(until) = suspect.until else { continue };
            for signal in suspect.explains.iter().filter(|signal| signal.component != suspect.component && signal.kind == "alert") {
                prop_assert!(signal.time <= until.plus(5 * value::MINUTE), "{:?} until {until} explains {signal:?}", suspect.component);
            }
        }
        for one in &diagnosis.suppressed {
            let by = alerts.iter().filter(|alert| alert.name == "Host" && alert.component == "vm1");
            let on = |alert: &Alert| {
                let at = |minute: u32| value::Time::parse(&format!("2025-06-01T10:{minute:02}:00Z")).unwrap();
                one.signal.time >= at(alert.start).minus(5 * value::MINUTE) && alert.end.is_none_or(|end| one.signal.time <= at(end).plus(5 * value::MINUTE))
            };
            prop_assert!(by.into_iter().any(on), "{one:?}");
        }
    }

    /// Every alert is explained by one suspect or listed as unexplained; none disappears.
    #[test]
    fn no_alert_disappears((relations, alerts, with_rules) in world()) {
        let diagnosis = diagnose("property-sums", &relations, &BTreeMap::new(), &alerts, if with_rules { RULE } else { "" });
        for line in &diagnosis.accounting {
            prop_assert_eq!(line.received, line.explained + line.unexplained + line.quiet + line.duplicates + line.set_aside);
        }
        let explained = diagnosis.incidents.iter().flat_map(|incident| &incident.suspects).flat_map(|suspect| &suspect.explains);
        let mut listed: Vec<_> = explained.chain(&diagnosis.unexplained).map(|signal| &signal.origin).collect();
        let all = listed.len();
        listed.sort();
        listed.dedup();
        prop_assert_eq!(all, listed.len(), "a signal is told twice");
        let alerts = diagnosis.accounting.iter().find(|line| line.kind == "alerts").map_or(0, |line| line.explained + line.unexplained);
        prop_assert_eq!(alerts, all);
    }

    /// Copies of the rules under other names, with the same faults, make no answer surer.
    #[test]
    fn copies_are_no_evidence((relations, alerts, _) in world()) {
        let once = diagnose("property-once", &relations, &BTreeMap::new(), &alerts, RULE);
        let twice = diagnose("property-twice", &relations, &BTreeMap::new(), &alerts, &format!("{RULE}{}", RULE.replace("TOP-00", "TOP-10")));
        let sure = |diagnosis: &Diagnosis| {
            let suspects = diagnosis.incidents.iter().flat_map(|incident| &incident.suspects);
            suspects.map(|s| (s.component.clone(), s.confidence.to_bits())).collect::<Vec<_>>()
        };
        prop_assert_eq!(sure(&once), sure(&twice));
    }

    /// Every claim of a report holds when it is computed again from its data.
    #[test]
    fn every_word_is_true((relations, alerts, with_rules) in world()) {
        let diagnosis = diagnose("property-words", &relations, &BTreeMap::new(), &alerts, if with_rules { RULE } else { "" });
        let wrong = crate::claims::false_claims(&diagnosis);
        prop_assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// A component is in one state, whichever incident tells of it; and what lasts stands above what is over.
    #[test]
    fn there_is_one_state_of_the_world((relations, alerts, with_rules) in world()) {
        let diagnosis = diagnose("property-world", &relations, &BTreeMap::new(), &alerts, if with_rules { RULE } else { "" });
        let mut states = BTreeMap::new();
        for view in diagnosis.incidents.iter().flat_map(|incident| &incident.impact) {
            let state = *states.entry(view.component.clone()).or_insert(view.state);
            prop_assert_eq!(state, view.state, "{}", &view.component);
        }
        let over: Vec<bool> = diagnosis.incidents.iter().map(|incident| incident.until.is_some()).collect();
        prop_assert!(over.is_sorted(), "{over:?}");
    }

    /// No rule suppresses an alert on which it rests.
    #[test]
    fn no_rule_hides_its_own_evidence((relations, alerts, _) in world()) {
        let diagnosis = diagnose("property-hidden", &relations, &BTreeMap::new(), &alerts, RULE);
        for one in &diagnosis.suppressed {
            let by = diagnosis.incidents.iter().flat_map(|incident| &incident.suspects).filter(|s| s.rules.iter().any(|rule| Some(rule) == one.rule.as_ref()));
            let sources: Vec<_> = by.flat_map(|suspect| &suspect.evidence).flat_map(|view| &view.sources).map(|source| &source.origin).collect();
            prop_assert!(!sources.contains(&&one.signal.origin), "{one:?}");
        }
    }

    /// Two faults of one component are rivals in one incident, each with its own rule, and at most one of them is right.
    #[test]
    fn contradictions_stay_visible((relations, alerts, _) in world()) {
        let rival = format!("{RULE}{}", RULE.replace("TOP-00", "TOP-10").replace("down", "slow").replace("  suppress alerts on dependents of h", "  fault \"off\" at h"));
        let diagnosis = diagnose("property-rivals", &relations, &BTreeMap::new(), &alerts, &rival);
        let mut incident_of: BTreeMap<_, usize> = BTreeMap::new();
        for incident in &diagnosis.incidents {
            let mut sums: BTreeMap<_, f64> = BTreeMap::new();
            for suspect in incident.suspects.iter().filter(|s| s.component.is_some()) {
                let number = *incident_of.entry(suspect.component.clone()).or_insert(incident.number);
                prop_assert_eq!(number, incident.number, "{:?} is told in two incidents", &suspect.component);
                prop_assert!(suspect.rules.len() <= 1, "{:?}", &suspect.rules);
                // What is over and what lasts may both be right.
                *sums.entry((suspect.component.clone(), suspect.until.is_some())).or_default() += suspect.confidence;
            }
            prop_assert!(sums.values().all(|sum| *sum <= 1.001), "{sums:?}");
        }
    }

    /// A rule that any alert satisfies hides no deeper cause that was named without it, where neither the order of beginnings
    /// nor starvation tells otherwise.
    #[test]
    fn a_rule_hides_no_deeper_cause((relations, alerts, _) in world(), name in prop::sample::select(vec!["Errors", "Db", "Host"])) {
        let generic = format!("TOP-001 \"Generic\" {{ given s: component  if alert \"{name}\" on s  then impact dependents of s  fault \"generic\" at s }}\n");
        let errors = alerts.into_iter().filter(|alert| alert.name != "NoRequests");
        let alerts: Vec<Alert> = errors.map(|alert| Alert { start: alert.start % 5, ..alert }).collect();
        prop_assume!(!alerts.is_empty());
        let without = diagnose("property-deeper-without", &relations, &BTreeMap::new(), &alerts, "");
        let with = diagnose("property-deeper-with", &relations, &BTreeMap::new(), &alerts, &generic);
        let told: BTreeSet<&String> = with.incidents.iter().flat_map(|i| &i.suspects).filter_map(|s| s.component.as_ref()).collect();
        for first in without.incidents.iter().filter_map(|incident| incident.suspects.first()).filter(|first| first.until.is_none()) {
            let Some(component) = &first.component else { continue };
            let own = first.explains.iter().any(|s| s.component.as_ref() == Some(component));
            let others: BTreeSet<_> = first.explains.iter().filter(|s| s.component.as_ref() != Some(component)).map(|s| &s.component).collect();
            let told_below = |c: &str| dependencies(c, &relations).iter().any(|below| below != c && told.contains(below));
            let deeper = told.contains(component) || told_below(component) || others.iter().all(|c| c.as_deref().is_none_or(told_below));
            prop_assert!(!own || others.is_empty() || deeper, "{component} is no longer named, but {told:?}");
        }
    }

    /// A rule for which there are no data is neither a suspect nor a near miss: it is said to be unjudged.
    #[test]
    fn the_unknown_is_said((relations, alerts, _) in world()) {
        let blind = "TOP-003 \"Slow\" { given s: service  if s.response_time > 2s  then impact dependents of s  fault \"slow\" at s }\n";
        let diagnosis = diagnose("property-unknown", &relations, &BTreeMap::new(), &alerts, &format!("{RULE}{blind}"));
        let rules = diagnosis.incidents.iter().flat_map(|incident| &incident.suspects).flat_map(|suspect| &suspect.rules);
        prop_assert!(rules.into_iter().all(|rule| rule != "TOP-003"));
        prop_assert!(diagnosis.near_misses.iter().all(|miss| miss.rule != "TOP-003"));
        let services = relations.iter().flat_map(|r| r.split(' ').step_by(2)).any(|id| kind(id) == "service");
        prop_assert_eq!(diagnosis.unjudged.iter().any(|one| one.rules.iter().any(|rule| rule == "TOP-003")), services);
    }
}

/// A component and all that it depends on.
fn dependencies(of: &str, relations: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::from([of.to_owned()]);
    loop {
        let ends = relations.iter().filter_map(|relation| relation.split_once(" depends_on "));
        let next: BTreeSet<String> = ends.filter(|(from, _)| found.contains(*from)).map(|(_, to)| to.to_owned()).collect();
        let before = found.len();
        found.extend(next);
        if found.len() == before {
            return found;
        }
    }
}
