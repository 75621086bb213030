//! What signals show beyond the estate: it comes, it stays over restarts, it goes; and what is declared stays as it is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use estate::{Declared, DeclaredComponent, DeclaredRelation, Snapshot, State, Written, base_model, build_declared};
use ingest::{Encoding, Protocol, read};
use localize::Diagnosis;
use project::Project;
use proptest::prelude::*;
use signal::{Calls, Facts, LogLine, MOST_PODS, Origin, Resolver, Sightings};
use value::{Duration, HOUR, MINUTE, SECOND, Time};

use super::world::Arrived;
use super::{Entry, Found, Keep, Laid, Revision, World};

/// Any instant.
const START: Time = Time(1_750_000_000_000);

const POD: &str = "cart-7d9c4b6f8c-x2x7k";

/// `web` calls `cart`, which has a pod; nobody says that anything calls `stock`.
const ESTATE: &str = "
components:
  - {id: web, type: service}
  - {id: cart, type: service, attributes: {namespace: shop}}
  - {id: stock, type: service}
  - {id: shop/cart-0, type: pod, name: cart-0, attributes: {namespace: shop}}
relations:
  - {from: web, kind: calls, to: cart}
  - {from: cart, kind: runs_on, to: shop/cart-0}
";

const RULES: &str = r#"
TOP-001 "Slow for a while" {
  given  s: service
  if     alert "Slow" on s for 10m
  then   impact dependents of s
  fault  "Slow" at s
}
"#;

// ---- a world with what was sent to it --------------------------------------------------------------------------------

struct Running {
    world: World,
    entries: Vec<Entry>,
}

fn revision() -> (Revision, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    for (path, text) in [("topology/estate.yaml", ESTATE), ("rules/slow.rules", RULES)] {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let project = Project::load(dir.path()).expect("a project");
    assert!(project.diagnostics.iter().all(|found| !found.is_error()), "{:?}", project.diagnostics);
    (Revision { digest: project.digest(), project: Arc::new(project), loaded: START }, dir)
}

impl Running {
    fn new(revision: &Revision) -> Running {
        Running { world: World::new(revision.clone(), Keep::default(), START), entries: Vec::new() }
    }

    fn send(&mut self, protocol: Protocol, body: String, received: Time) {
        let number = self.entries.len() as u64 + 1;
        let entry = Entry { number, received, protocol, body: body.into_bytes() };
        let project = Arc::clone(&self.world.revision.project);
        let resolver = Resolver::new(&project.placement, &project.estate);
        let mut taken = read(protocol, &entry.body, received, &resolver).expect("a request");
        self.world.take(&entry, Arrived::of(&mut taken), received);
        self.world.pass_time(received);
        self.entries.push(entry);
    }

    /// A call of one service to another that ended then.
    fn call(&mut self, from: &str, to: &str, end: Time, received: Time) {
        let id = self.entries.len() + 1;
        let (begin, end) = (end.minus(20).0, end.0);
        let body = format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{from}"}}}}]}},
            "scopeSpans":[{{"spans":[{{"traceId":"{id:032x}","spanId":"{id:016x}","name":"GET","kind":3,
            "startTimeUnixNano":"{begin}000000","endTimeUnixNano":"{end}000000",
            "attributes":[{{"key":"server.address","value":{{"stringValue":"{to}"}}}}]}}]}}]}}]}}"#
        );
        self.send(Protocol::OtlpTraces(Encoding::Json), body, received);
    }

    fn alert(&mut self, name: &str, labels: &[(&str, &str)], start: Time, received: Time) {
        let mut all = format!(r#""alertname":"{name}""#);
        labels.iter().for_each(|(label, value)| write!(all, r#","{label}":"{value}""#).expect("a string"));
        let end = received.plus(HOUR);
        let body = format!(r#"[{{"labels":{{{all}}},"startsAt":"{start}","endsAt":"{end}"}}]"#);
        self.send(Protocol::Alerts, body, received);
    }

    /// The world that a start makes of the journal.
    fn restarted(&self, now: Time) -> World {
        let mut world = World::new(self.world.revision.clone(), Keep::default(), now);
        let entries = self.entries.clone();
        world.replay(now, |_, each| entries.into_iter().map(Found::Entry).for_each(each));
        world
    }
}

fn relations(estate: &Snapshot) -> Vec<String> {
    let id = |component| estate.component(component).id.as_str();
    estate.relations().map(|one| format!("{} {} {}", id(one.from), one.kind, id(one.to))).collect()
}

fn rules(diagnosis: &Diagnosis) -> Vec<String> {
    diagnosis.incidents.iter().flat_map(|incident| &incident.suspects).flat_map(|suspect| suspect.rules.clone()).collect()
}

fn after(duration: Duration) -> Time {
    START.plus(duration)
}

#[test]
fn calls_come_and_go() {
    let (revision, _dir) = revision();
    let mut running = Running::new(&revision);
    let declared = relations(&revision.project.estate);
    // What is declared, what is not, and a pod that calls for its workload.
    for (from, to) in [("web", "cart"), ("web", "stock"), ("cart-0", "stock"), ("cart-0", "cart"), ("nobody", "stock")] {
        running.call(from, to, after(-2 * MINUTE), START);
    }
    running.world.pass_time(after(4 * SECOND));
    assert_eq!(relations(&running.world.laid().estate), declared, "the minute is not closed yet");
    running.world.pass_time(after(20 * SECOND));
    let laid = running.world.laid().clone();
    let mut expected = declared.clone();
    expected.extend(["cart calls stock", "web calls stock"].map(str::to_owned));
    expected.sort();
    let mut found = relations(&laid.estate);
    found.sort();
    assert_eq!(found, expected);
    let seen = laid.seen.call("web", "stock").expect("it was seen");
    assert_eq!((seen.first, seen.last), (after(-2 * MINUTE), after(-2 * MINUTE)));
    assert_eq!(laid.seen.call("web", "cart"), None);

    // A start reads the same from the journal, long after.
    let restarted = running.restarted(after(3 * HOUR));
    assert_eq!(restarted.laid().seen.calls, laid.seen.calls);
    assert_eq!(relations(&restarted.laid().whole), relations(&laid.whole));

    // One is seen again, and stays for a day from then on.
    running.call("web", "stock", after(HOUR), after(HOUR + 2 * MINUTE));
    running.world.pass_time(after(HOUR + 4 * MINUTE));
    running.world.pass_time(after(24 * HOUR + 30 * MINUTE));
    assert_eq!(running.world.laid().seen.calls.len(), 1);
    assert!(relations(&running.world.laid().estate).contains(&"web calls stock".to_owned()));
    running.world.pass_time(after(26 * HOUR));
    assert_eq!(relations(&running.world.laid().estate), declared);
}

#[test]
fn what_has_held_goes_on_when_a_call_comes() {
    let (revision, _dir) = revision();
    let mut running = Running::new(&revision);
    running.alert("Slow", &[("component", "stock")], START, after(SECOND));
    running.call("web", "stock", after(7 * MINUTE), after(9 * MINUTE));
    running.world.pass_time(after(9 * MINUTE + 30 * SECOND));
    assert_eq!(running.world.laid().seen.calls.len(), 1);
    let (early, _) = running.world.diagnose(after(9 * MINUTE + 40 * SECOND));
    assert_eq!(rules(&early), Vec::<String>::new(), "ten minutes are not over");
    let now = after(10 * MINUTE + 20 * SECOND);
    let (diagnosis, _) = running.world.diagnose(now);
    assert_eq!(rules(&diagnosis), ["TOP-001"]);
    let incident = diagnosis.incidents.first().expect("an incident");
    assert!(incident.impact.iter().any(|view| view.component == "web"), "{:?}", incident.impact);
    let (anew, _) = running.restarted(now).diagnose(now);
    let [diagnosis, anew] = [diagnosis, anew].map(|one| serde_json::to_string_pretty(&one).expect("JSON"));
    assert_eq!(diagnosis, anew);
}

#[test]
fn pods_come_and_go() {
    let (revision, _dir) = revision();
    let mut running = Running::new(&revision);
    for pod in [POD, "cart-0", "other-0"] {
        running.alert("Crash", &[("namespace", "shop"), ("pod", pod)], START, START);
    }
    running.world.pass_time(after(20 * SECOND));
    let laid = running.world.laid().clone();
    let id = format!("shop/{POD}");
    assert_eq!(laid.seen.pods.keys().collect::<Vec<_>>(), [&id]);
    let pod = laid.whole.find(&id).expect("it is a component");
    assert_eq!((laid.whole.component(pod).kind.as_str(), laid.whole.find_named(POD)), ("pod", Some(pod)));
    assert!(relations(&laid.whole).contains(&format!("cart runs_on {id}")));
    // Nobody knows how many there are.
    let impact = laid.whole.impact(&[(pod, State::Down)], None);
    assert_eq!(impact.first().map(|one| (laid.whole.component(one.component).id.as_str(), one.state)), Some(("cart", State::Degraded)));
    // Rules go by what is listed: signals of the pod are on its workload.
    assert_eq!(laid.estate.of_type("pod").len(), 1);
    let facts = running.world.settled();
    let alert = facts.alerts.iter().find(|alert| alert.instance.is_some()).expect("an alert of the pod");
    assert_eq!((alert.instance.as_deref(), alert.component), (Some(POD), laid.estate.find("cart")));
    assert_eq!(running.restarted(after(MINUTE)).laid().seen.pods, laid.seen.pods);
    running.world.pass_time(after(6 * HOUR + MINUTE));
    assert_eq!(running.world.laid().seen.pods, BTreeMap::new());
    assert_eq!(running.world.laid().whole.find(&id), None);
}

// ---- laid step by step -----------------------------------------------------------------------------------------------

const SERVICES: usize = 5;

/// The first depends on the second, which has a pod; two share a namespace.
fn few() -> Arc<Snapshot> {
    let component = |id: String, kind: &str, namespace: Option<&str>| DeclaredComponent {
        id,
        kind: kind.to_owned(),
        attributes: namespace.map(|name| ("namespace".to_owned(), Written::Text(name.to_owned()))).into_iter().collect(),
        ..DeclaredComponent::default()
    };
    let relation = |from: &str, kind: &str, to: &str| DeclaredRelation {
        from: from.to_owned(),
        kind: kind.to_owned(),
        to: to.to_owned(),
        ..DeclaredRelation::default()
    };
    let mut components: Vec<DeclaredComponent> =
        (0..SERVICES).map(|at| component(format!("s{at}"), "service", ["a", "a", "b"].get(at).copied())).collect();
    components.push(component("a/p0".to_owned(), "pod", Some("a")));
    let relations = vec![relation("s0", "depends_on", "s1"), relation("s1", "runs_on", "a/p0")];
    let (estate, complaints) = build_declared(base_model(), Declared { components, relations, ..Declared::default() });
    assert!(complaints.is_empty(), "{complaints:?}");
    Arc::new(estate)
}

fn of_pod(estate: &Snapshot, workload: usize, pod: &str) -> Facts {
    let log = LogLine {
        origin: Origin { file: "logs".to_owned(), index: 0 },
        component: estate.find(&format!("s{workload}")),
        instance: Some(pod.to_owned()),
        time: START,
        text: "a line".to_owned(),
        labels: BTreeMap::new(),
    };
    Facts { logs: vec![log], ..Facts::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn step_by_step_is_as_at_once(steps in prop::collection::vec((0usize..3, 0..SERVICES, 0..=SERVICES, 0usize..4), 1..40)) {
        let estate = few();
        let ids: Vec<_> = estate.ids().collect();
        let service = |at: usize| estate.find(&format!("s{at}")).or_else(|| estate.find("a/p0")).expect("a component");
        let mut sightings = Sightings::default();
        let mut laid = Laid::over(&estate);
        for (minute, (what, one, other, name)) in (1i64..).zip(steps) {
            let now = START.plus(minute * MINUTE);
            match what {
                0 => sightings.take_calls(&estate, &[Calls { caller: service(one), callee: service(other), count: 1, first: now, last: now }]),
                1 => sightings.take_pods(&of_pod(&estate, one, &format!("p{name}")), now),
                _ => sightings.forget(now.minus(7 * MINUTE), now.minus(4 * MINUTE)),
            }
            laid = laid.next(sightings.seen(&estate));
            let fresh = Laid::over(&estate).next(sightings.seen(&estate));
            prop_assert_eq!(laid.whole.declared(""), fresh.whole.declared(""));
            prop_assert_eq!(laid.estate.declared(""), fresh.estate.declared(""));
            prop_assert_eq!(laid.estate.ids().collect::<Vec<_>>(), ids.clone());
            // What is declared stays: there is more, and nothing else.
            let (_, missing) = laid.whole.declared("").since(&estate.declared(""));
            prop_assert_eq!(missing, estate::Removed::default());
        }
    }
}

#[test]
fn names_without_end_have_a_bound() {
    let estate = few();
    let mut sightings = Sightings::default();
    for name in 0..3 * MOST_PODS {
        sightings.take_pods(&of_pod(&estate, 2, &format!("p{name}")), START);
    }
    sightings.take_pods(&of_pod(&estate, 3, &"p".repeat(300)), START);
    let laid = Laid::over(&estate).next(sightings.seen(&estate));
    assert_eq!((laid.seen.pods.len(), laid.seen.pods_left_out), (MOST_PODS, 2 * MOST_PODS as u64 + 1));
    assert_eq!(laid.whole.len(), estate.len() + MOST_PODS);
    assert!(laid.note().is_some());
    // Once they are gone, others have room.
    sightings.forget(START, after(SECOND));
    sightings.take_pods(&of_pod(&estate, 2, "late"), after(MINUTE));
    let laid = laid.next(sightings.seen(&estate));
    assert_eq!((laid.seen.pods.len(), laid.whole.len()), (1, estate.len() + 1));
}
