//! Which incident of a diagnosis continues which one of the last.
//!
//! A story is a list of diagnoses, `SECONDS: COMPONENT[SIGNALS]`, with `~SECONDS` behind one that is over since then, and `? SIGNALS` that
//! nothing explains; between them what people do. What happens is told line by line.

use std::fmt::Write;

use estate::Tier;
use localize::{Diagnosis, Fault, Incident, Layer, Says, SignalView, Suspect};
use signal::Origin;
use value::Time;

use super::incident_log::{Log, on_file};
use super::{Action, Incidents};

fn time(seconds: &str) -> Time {
    Time(seconds.trim().parse::<i64>().expect("seconds") * 1_000)
}

/// `a!` fires; `:a` is a line.
fn signal(name: &str) -> SignalView {
    let (name, kind) = name.strip_prefix(':').map_or((name, "alert"), |name| (name, "log"));
    let (name, firing) = name.strip_suffix('!').map_or((name, None), |name| (name, Some(compile::plan::Severity::Warning)));
    SignalView {
        kind: kind.to_owned(),
        component: None,
        instance: None,
        time: Time(0),
        text: name.to_owned(),
        says: Says::Text,
        count: 1,
        firing,
        origin: Origin { file: name.to_owned(), index: 0 },
    }
}

fn incident(number: usize, text: &str) -> Incident {
    let (text, until) = text.split_once('~').map_or((text, None), |(text, until)| (text, Some(time(until))));
    let (component, signals) = text.trim().trim_end_matches(']').split_once('[').expect("signals in brackets");
    let explains = signals.split(' ').filter(|name| !name.is_empty()).map(signal);
    // `redis!` is a core component.
    let (component, tier) = component.strip_suffix('!').map_or((component, None), |name| (name, Some(Tier::Core)));
    let suspect = Suspect {
        component: Some(component.to_owned()),
        name: None,
        kind: None,
        owner: None,
        tier,
        fault: format!("{component} is broken"),
        says: Fault::Named(String::new()),
        contact: None,
        confidence: 0.9,
        raw: 0.9,
        grounds: None,
        layer: Layer::Expert,
        rules: Vec::new(),
        authored: Vec::new(),
        case: None,
        evidence: Vec::new(),
        explains: explains.collect(),
        causes: Vec::new(),
        reasons: Vec::new(),
        against: Vec::new(),
        look: Vec::new(),
        since: Time(0),
        until,
        explained_by: None,
        confirm: false,
        notes: Vec::new(),
    };
    Incident {
        number,
        since: Time(0),
        until,
        severity: compile::plan::Severity::Critical,
        layer: Layer::Expert,
        suspects: vec![suspect],
        alike: Vec::new(),
        impact: Vec::new(),
        symptoms: 1,
        explained: 1,
    }
}

fn diagnosis(at: Time, text: &str) -> Diagnosis {
    let parts = || text.split(';').map(str::trim).filter(|one| !one.is_empty());
    let incidents = parts().filter(|one| !one.starts_with('?'));
    let unexplained = parts().filter_map(|one| one.strip_prefix('?')).flat_map(str::split_whitespace);
    Diagnosis {
        version: 1,
        at,
        since: Time(0),
        incidents: (1..).zip(incidents).map(|(number, one)| incident(number, one)).collect(),
        hidden: 0,
        checks: Vec::new(),
        solutions: Vec::new(),
        changes: Vec::new(),
        cases: Vec::new(),
        before: Vec::new(),
        near_misses: Vec::new(),
        unjudged: Vec::new(),
        unexplained: unexplained.map(signal).collect(),
        groups: Vec::new(),
        unplaced: Vec::new(),
        unplaced_because: Vec::new(),
        suppressed: Vec::new(),
        set_aside: Vec::new(),
        accounting: Vec::new(),
        warnings: Vec::new(),
    }
}

fn check(story: &str, expected: &str) {
    let (mut incidents, _) = Incidents::read("");
    let (mut told, mut file) = (String::new(), String::new());
    for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (when, what) = line.split_once(':').expect("a time");
        let at = time(when);
        let words: Vec<&str> = what.split_whitespace().collect();
        let by = Some("li".to_owned());
        match words.as_slice() {
            ["restart"] => (incidents, _) = Incidents::read(&file),
            ["acknowledge", id] => _ = incidents.act(id.parse().expect("an id"), Action::Acknowledge, by, at).expect("known"),
            ["reopen", id] => _ = incidents.act(id.parse().expect("an id"), Action::Reopen, by, at).expect("resolved"),
            ["split", id] => _ = incidents.act(id.parse().expect("an id"), Action::Split, by, at).expect("merged"),
            ["merge", id, home] => {
                let into = Action::Merge(home.parse().expect("an id"));
                _ = incidents.act(id.parse().expect("an id"), into, by, at).expect("apart");
            }
            ["resolve", id] => _ = incidents.act(id.parse().expect("an id"), Action::Resolve, by, at).expect("known"),
            _ => incidents.update(&diagnosis(at, what)),
        }
        for event in incidents.take_events() {
            let component = event.incident.component.clone().unwrap_or_default();
            let note = event.incident.history.last().and_then(|step| step.note.clone()).map_or_else(String::new, |note| format!(" {note}"));
            writeln!(told, "{when}: #{} {} {:?}{note}", event.incident.id, component, event.what).expect("a string");
            file.push_str(&serde_json::to_string(&event).expect("JSON"));
            file.push('\n');
        }
    }
    let lines = |text: &str| text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    assert_eq!(lines(&told), lines(expected), "\n{story}");
}

#[test]
fn one_incident_from_beginning_to_end() {
    check(
        "0: redis[a b]
         15: redis[a b c]
         30:
         60: redis[a]
         180:
         300:",
        "0: #1 redis Opened
         180: #1 redis Resolved",
    );
    check("0: redis[a] ~0\n 200: redis[a] ~0\n 900: redis[a] ~0", "0: #1 redis Opened\n 200: #1 redis Resolved");
}

#[test]
fn what_comes_back_is_the_same_incident() {
    check(
        "0: redis[a]
         200:
         400: redis[b]
         3000:
         9000: redis[c]",
        "0: #1 redis Opened
         200: #1 redis Resolved
         400: #1 redis Reopened
         3000: #1 redis Resolved
         9000: #2 redis Opened",
    );
}

#[test]
fn another_verdict_on_the_same_signals_is_a_change() {
    check("0: nginx[a b]\n 15: redis[a b c]", "0: #1 nginx Opened\n 15: #1 redis Changed");
    check(
        "0: nginx[a]; redis[b]
         15: redis[a b]
         30: redis[a b]",
        "0: #1 nginx Opened
         0: #2 redis Opened
         15: #1 nginx Merged #2",
    );
    check("0: redis[a b]\n 15: redis[a]; nginx[b]", "0: #1 redis Opened\n 15: #2 nginx Opened");
}

/// What fires is not over, whether or not it is explained.
/// Lines of the same service are no reason to take another fault for one that somebody acknowledged.
#[test]
fn another_fault_that_shares_only_lines_is_another_incident() {
    check(
        "0: host[a :x :y]
         10: acknowledge 1
         200: pay[b :x :y]",
        "0: #1 host Opened
         10: #1 host Acknowledged
         200: #2 pay Opened
         200: #1 host Resolved",
    );
    // Without alerts, lines are all there is.
    check("0: host[:x :y]\n 15: pay[b :x]", "0: #1 host Opened\n 15: #1 pay Changed");
}

#[test]
fn what_fires_is_not_resolved() {
    check(
        "0: web[a! b!]
         15: ? a! b!
         300: ? a b!
         310: restart
         600: ? a b!
         610: ? a b
         720:
         730:",
        "0: #1 web Opened
         720: #1 web Resolved",
    );
    check("0: web[a!]\n 15: ? b!\n 135: ? b!", "0: #1 web Opened\n 135: #1 web Resolved");
    check("0: web[a! b!]; db[c!]\n 15: db[b! c!]; ? a", "0: #1 web Opened\n 0: #2 db Opened\n 15: #1 web Merged #2");
    // What another one explains now is that one's; the rest is for the diagnosis to tell.
    check(
        "0: web[a! b!]; db[c!]\n 15: db[b! c!]; ? a!\n 300: db[b! c!]; ? a!",
        "0: #1 web Opened\n 0: #2 db Opened\n 15: #1 web Merged #2",
    );
}

#[test]
fn people_and_restarts() {
    check(
        "0: redis[a]
         10: acknowledge 1
         20: restart
         30: redis[a b]
         40: resolve 1
         50: redis[a b]
         60: redis[a b]
         90:
         300:
         400: redis[a]",
        "0: #1 redis Opened
         10: #1 redis Acknowledged
         40: #1 redis Resolved
         400: #1 redis Reopened",
    );
    check("0: redis[a] \n 5: restart\n 10: nginx[b]", "0: #1 redis Opened\n 10: #2 nginx Opened");
    // The diagnosis shows for a while what is over.
    check(
        "0: redis[a]
         10: resolve 1
         20: redis[a]
         30: redis[a] ~25
         60: redis[a b]",
        "0: #1 redis Opened
         10: #1 redis Resolved
         60: #1 redis Reopened",
    );
}

/// What a person merges stays so until it is over; what a person reopens, until a person resolves it.
#[test]
fn people_know_better() {
    check(
        "0: redis[a]; nginx[b]
         10: merge 2 1
         15: redis[a]; nginx[b]
         30: split 2
         45: redis[a]; nginx[b]",
        "0: #1 redis Opened
         0: #2 nginx Opened
         10: #2 nginx Merged #1
         30: #2 nginx Split #1",
    );
    check(
        "0: redis[a]; nginx[b]
         10: merge 2 1
         15: redis[a]
         20: restart
         200: redis[a]
         400: redis[a]; nginx[b]",
        "0: #1 redis Opened
         0: #2 nginx Opened
         10: #2 nginx Merged #1
         400: #3 nginx Opened",
    );
    check(
        "0: redis[a]; nginx[b]
         10: merge 2 1
         15: nginx[b]
         300: nginx[b c]",
        "0: #1 redis Opened
         0: #2 nginx Opened
         10: #2 nginx Merged #1
         15: #1 nginx Changed",
    );
    check(
        "0: redis[a]
         200:
         210: reopen 1
         220: restart
         400:
         500: resolve 1
         600:",
        "0: #1 redis Opened
         200: #1 redis Resolved
         210: #1 redis Reopened
         500: #1 redis Resolved",
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (mut incidents, _) = Incidents::read("");
    incidents.update(&diagnosis(time("0"), "redis[a]; nginx[b]"));
    let mut refused = |id, action| incidents.act(id, action, None, time("5")).err().map(|error| error.message.to_string());
    assert_eq!(refused(1, Action::Reopen).as_deref(), Some("incident 1 is not resolved"));
    assert_eq!(refused(1, Action::Merge(1)).as_deref(), Some("incident 1 cannot be merged into itself"));
    assert_eq!(refused(1, Action::Merge(3)).as_deref(), Some("no incident `3`"));
    assert_eq!(refused(1, Action::Merge(2)), None);
    assert_eq!(refused(1, Action::Reopen).as_deref(), Some("incident 1 is merged into 2"));
    assert_eq!(refused(2, Action::Merge(1)).as_deref(), Some("incident 1 is merged into 2 already"));
    assert_eq!(refused(2, Action::Split).as_deref(), Some("incident 2 is not one that a person merged and that lasts"));
}

/// A later diagnosis may say that the fault began later, or earlier: list and report agree. What it was when it was found is kept apart.
#[test]
fn the_list_says_since_when_as_the_report_does() {
    let (mut incidents, _) = Incidents::read("");
    for (at, since) in [("100", "40"), ("115", "70"), ("130", "20"), ("145", "130")] {
        let mut next = diagnosis(time(at), "redis[a]");
        next.incidents.iter_mut().for_each(|one| one.since = time(since));
        incidents.update(&next);
        let one = incidents.get(1).expect("it is open");
        let reported = one.report.get("since").and_then(serde_json::Value::as_str).and_then(Time::parse);
        assert_eq!((one.since, reported), (time(since), Some(time(since))), "at {at}");
        assert_eq!((one.first_since(), one.opened), (time("40"), time("100")), "at {at}");
    }
    let file: Vec<String> = incidents.take_events().iter().map(|event| serde_json::to_string(event).expect("JSON")).collect();
    let (again, unreadable) = Incidents::read(&file.join("\n"));
    assert_eq!((again.get(1).map(super::Tracked::first_since), unreadable), (Some(time("40")), 0));
}

/// Where the window of a diagnosis begins, nothing did: what was known before is right.
#[test]
fn since_does_not_move_with_the_window() {
    let (mut incidents, _) = Incidents::read("");
    for (at, window, since, expected) in [
        ("100", "0", "40", "40"),
        ("4000", "400", "400", "40"),
        ("4100", "500", "500", "40"),
        ("4200", "600", "700", "700"),
        ("4300", "700", "20", "20"),
    ] {
        let mut next = diagnosis(time(at), "redis[a]");
        next.since = time(window);
        next.incidents.iter_mut().for_each(|one| one.since = time(since));
        incidents.update(&next);
        let one = incidents.get(1).expect("it is open");
        let reported = one.report.get("since").and_then(serde_json::Value::as_str).and_then(Time::parse);
        assert_eq!((one.since, reported), (time(expected), Some(time(expected))), "at {at}");
    }
}

/// 5 minutes to acknowledge, 20 until it is over: those of a core component.
#[test]
fn clocks_run() {
    check(
        "0: redis![a]
         290: redis![a]
         300: redis![a]
         310: restart
         330: redis![a]
         1200: redis![a]
         1300: redis![a]",
        "0: #1 redis Opened
         300: #1 redis Escalated acknowledgement 5
         1200: #1 redis Escalated recovery 20",
    );
    check("0: redis![a]\n 60: acknowledge 1\n 400: redis![a]", "0: #1 redis Opened\n 60: #1 redis Acknowledged");
    check("0: redis[a]\n 9000: redis[a]", "0: #1 redis Opened");
}

/// Of a long history the file has the last state alone, and it goes on with the same numbers.
#[test]
fn the_file_does_not_grow_with_the_history() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut incidents, mut log, _) = Log::open(dir.path(), Time::MIN).expect("a file");
    incidents.update(&diagnosis(time("0"), "redis[a]; nginx[b]"));
    for note in 0..300 {
        incidents.act(1, Action::Note(format!("note {note}")), None, time("5")).expect("known");
        log.write(&incidents.take_events()).expect("written");
        log.limit = 10_000;
        log.compact(&incidents);
    }
    let path = dir.path().join("incidents.ndjson");
    let bytes = std::fs::metadata(&path).expect("a file").len();
    assert!(bytes < 100_000, "{bytes} bytes");
    let (again, _, said) = Log::open(dir.path(), Time::MIN).expect("a file");
    assert!(said.is_empty(), "{said:?}");
    assert_eq!((again.last_event(), again.get(1), again.get(2)), (302, incidents.get(1), incidents.get(2)));
    for (after, left, gap) in [(0, 2, true), (2, 1, true), (301, 1, false), (302, 0, false)] {
        let (events, missing) = on_file(&path, after);
        assert_eq!((events.len(), missing), (left, gap), "after {after}");
    }
}

/// What is long over keeps what people did, and loses its report.
#[test]
fn what_is_long_over_is_forgotten() {
    let (mut incidents, _) = Incidents::read("");
    incidents.update(&diagnosis(time("0"), "redis[a]; nginx[b]"));
    incidents.act(2, Action::Resolve, None, time("5")).expect("open");
    let reports = |incidents: &Incidents| [1, 2].map(|id| incidents.get(id).is_some_and(|one| one.report.is_object()));
    incidents.forget(time("0"));
    assert_eq!(reports(&incidents), [true, true]);
    incidents.forget(time("1"));
    assert_eq!(reports(&incidents), [true, false]);
    assert_eq!(incidents.get(2).map(|one| one.history.len()), Some(2));
}

/// An action that could not be written has not happened, and costs no number.
#[test]
fn an_action_that_is_not_written_is_taken_back() {
    let (mut incidents, _) = Incidents::read("");
    incidents.update(&diagnosis(time("0"), "redis[a]"));
    let before = incidents.get(1).cloned();
    incidents.act(1, Action::Acknowledge, None, time("5")).expect("known");
    let events = incidents.take_events();
    assert_eq!(events.len(), 2);
    incidents.undo(before.clone(), events);
    assert_eq!(incidents.get(1), before.as_ref());
    incidents.act(1, Action::Note("again".to_owned()), None, time("6")).expect("known");
    let written: Vec<(u64, super::What)> = incidents.take_events().iter().map(|event| (event.number, event.what)).collect();
    assert_eq!(written, [(1, super::What::Opened), (2, super::What::Noted)]);
}
