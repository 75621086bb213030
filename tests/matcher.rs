//! The matcher against the plain engine: random projects, estates and sequences of facts (out of order, repeated, late, ahead
//! of time, resolved before they fired, estates that change in the middle); after every step both must say the same, byte for
//! byte.
//!
//! `FAULTSCOPE_SEQUENCES=10000 cargo test --release --test matcher` runs more of them; `FAULTSCOPE_SEED=7` runs one. A sequence
//! that fails is made smaller, one part after the other, and printed.

mod random;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::matcher::{Emitted, Event, Fact, Limits, Matcher, Outcome, Sample, SeriesKey, StateError};
use random::Case;
use signal::{Alert, Origin};
use value::{MINUTE, SECOND, Time};
use world::START;

/// In CI; by hand at least 10,000.
const SEQUENCES: u64 = 150;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn the_matcher_says_what_the_plain_engine_says() {
    if let Some(seed) = number("FAULTSCOPE_SEED") {
        return check(seed);
    }
    let first = number("FAULTSCOPE_FIRST").unwrap_or(0);
    let mut seen = world::Seen::default();
    for seed in first..first + number("FAULTSCOPE_SEQUENCES").unwrap_or(SEQUENCES) {
        let case = random::case(seed);
        match world::run(&case) {
            Ok(run) => seen.add(&run),
            Err(_) => check(seed),
        }
    }
    eprintln!("{seen:?}");
    // Sequences in which nothing happens would prove nothing.
    assert!(seen.started > 100 && seen.ended > 50 && seen.changed > 100 && seen.late > 100 && seen.near_misses > 100, "{seen:?}");
}

/// Runs one sequence; if it fails, looks for a smaller one that does.
fn check(seed: u64) {
    let mut case = random::case(seed);
    let Err(mut why) = world::run(&case) else { return };
    let mut smaller = true;
    while smaller {
        smaller = false;
        for shrunk in shrink(&case) {
            if let Err(other) = world::run(&shrunk) {
                (case, why, smaller) = (shrunk, other, true);
                break;
            }
        }
    }
    let why = world::run(&case).err().unwrap_or(why);
    panic!("seed {seed}: {why}\n{}", case.show());
}

/// The same case without one of its parts each.
fn shrink(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let half = case.steps.len() / 2;
    if half > 4 {
        all.push(Case { steps: case.steps[..half].to_vec(), ..case.clone() });
        all.push(Case { steps: case.steps[half..].to_vec(), ..case.clone() });
    }
    for at in (0..case.rules.len()).rev() {
        let mut one = case.clone();
        one.rules.remove(at);
        all.push(one);
    }
    for at in (0..case.steps.len()).rev() {
        let mut one = case.clone();
        one.steps.remove(at);
        all.push(one);
    }
    all
}

const TOPOLOGY: &str = "components: [{id: db, type: database}, {id: s, type: service}, {id: t, type: service}]";
const LASTING: &str = "TOP-1 \"Busy\" {\n given db: database\n if db.cpu_usage > 90% for 5m\n then impact db\n}";
const OTHER: &str = "TOP-2 \"Other\" {\n given s: service\n if s.cpu_usage > 10% and s.error_rate > 1%\n then impact s\n}";
const EDITED: &str = "TOP-2 \"Other\" {\n given s: service\n if s.cpu_usage > 20% and s.error_rate > 1%\n then impact s\n}";
const QUIET: &str = "TOP-3 \"Quiet\" {\n given s: service\n if not alert \"x\" on s\n then impact s\n}";

fn matcher(rules: &[&str], limits: Limits) -> Matcher {
    let scripts = Arc::new(world::scripts());
    let rules: Vec<String> = rules.iter().map(|rule| (*rule).to_owned()).collect();
    let project = world::project(TOPOLOGY, &rules, &scripts);
    assert_eq!(project.plan.rules.len(), rules.len());
    Matcher::new(engine::matcher::Setup { limits, ..world::setup(&project, &scripts, START) })
}

fn sample(matcher: &Matcher, component: &str, at: Time, value: f64) -> Fact {
    let series =
        Arc::new(SeriesKey { labels: BTreeMap::new(), origin: Origin { file: "metrics.json".to_owned(), index: 0 }, instance: None });
    Fact::Sample(Sample { component: matcher.estate().find(component), metric: "cpu_usage".to_owned(), series, time: at, value })
}

#[test]
fn a_duration_under_way_survives_an_edit_a_restart_and_another_estate() {
    let scripts = Arc::new(world::scripts());
    let mut matcher = matcher(&[LASTING, OTHER], Limits::default());
    let mut out = Vec::new();
    for minute in 0..=4 {
        let fact = sample(&matcher, "db", START.plus(minute * MINUTE), 95.0);
        matcher.feed(fact, &mut out);
    }
    let rules = [LASTING, EDITED].map(str::to_owned);
    let topology = TOPOLOGY.replace("{id: db,", "{id: a-new-one, type: host}, {id: db,");
    let edited = world::project(&topology, &rules, &scripts);
    let gone = matcher.replace(Arc::clone(&edited.plan), Arc::clone(&edited.estate), Arc::clone(&scripts) as Arc<_>, &mut out);
    assert_eq!((gone.len(), out.len()), (0, 0));
    let state = matcher.capture().unwrap();
    let mut restored = Matcher::restore(world::setup(&edited, &scripts, Time(0)), &state).unwrap();
    for matcher in [&mut matcher, &mut restored] {
        matcher.advance(START.plus(5 * MINUTE - 1), &mut out);
        assert!(out.is_empty(), "{out:?}");
        matcher.advance(START.plus(5 * MINUTE), &mut out);
        let started: Vec<(Time, Event)> = out.drain(..).map(|e: Emitted| (e.at, e.event)).collect();
        assert_eq!(started, [(START.plus(5 * MINUTE), Event::Started)]);
    }
}

#[test]
fn beyond_a_limit_it_lets_go_and_says_so() {
    let mut matcher = matcher(&[LASTING], Limits { samples: 100, ..Limits::default() });
    let mut out = Vec::new();
    for at in 0..5_000 {
        let fact = sample(&matcher, "db", START.plus(at * SECOND), 95.0);
        assert_eq!(matcher.feed(fact, &mut out), Outcome::Taken);
    }
    let stats = matcher.stats();
    assert!(stats.samples <= 110 && stats.samples_let_go > 4_000 && stats.degraded(), "{stats:?}");
    // What holds still holds.
    assert_eq!(matcher.holding().count(), 1);

    let few = self::matcher(&[QUIET], Limits { instances: 1, ..Limits::default() });
    assert_eq!((few.stats().instances, few.stats().instances_not_made), (1, 1));
}

#[test]
fn pods_that_come_and_go_without_end_are_bounded_and_counted() {
    const BUSY: &str = "TOP-1 \"Busy\" {\n given s: service\n if s.cpu_usage > 90%\n then impact s\n}";
    let mut matcher = matcher(&[BUSY], Limits::default());
    let mut out = Vec::new();
    for at in 0..4_100 {
        let Fact::Sample(sample) = sample(&matcher, "s", START.plus(at), 95.0) else { continue };
        let instance = Some(format!("s-{at}"));
        let series = Arc::new(SeriesKey { instance, ..sample.series.as_ref().clone() });
        assert_eq!(matcher.feed(Fact::Sample(Sample { series, ..sample }), &mut out), Outcome::Taken);
    }
    let stats = matcher.stats();
    assert_eq!((stats.series, stats.samples, stats.samples_let_go), (4_000, 4_000, 100));
    assert_eq!(matcher.holding().count(), 1);
}

#[test]
fn a_pod_tells_its_service_before_and_after_another_estate() {
    const RULES: &[&str] = &[
        "TOP-1 \"Crash\" {\n given s: service\n if alert \"crash\" on s\n then impact s\n}",
        "TOP-2 \"Busy\" {\n given s: service\n if s.cpu_usage > 90% for 5m\n then impact s\n}",
    ];
    let scripts = Arc::new(world::scripts());
    let rules: Vec<String> = RULES.iter().map(|rule| (*rule).to_owned()).collect();
    let components = "components: [{id: s, type: service}, {id: p, type: pod}]";
    let apart = world::project(components, &rules, &scripts);
    let tied = world::project(&format!("{components}\nrelations: [{{from: s, kind: runs_on, to: p}}]"), &rules, &scripts);
    let mut matcher = Matcher::new(world::setup(&apart, &scripts, START));
    let mut out = Vec::new();
    for minute in 0..=6 {
        let fact = sample(&matcher, "p", START.plus(minute * MINUTE), 95.0);
        matcher.feed(fact, &mut out);
    }
    assert!(out.is_empty(), "it is nobody's pod: {out:?}");
    // Its samples of before count once it is known whose pod it is.
    matcher.replace(Arc::clone(&tied.plan), Arc::clone(&tied.estate), Arc::clone(&scripts) as Arc<_>, &mut out);
    assert_eq!(matcher.holding().map(|(rule, ..)| rule.to_owned()).collect::<Vec<_>>(), ["TOP-2"]);
    // The state has each sample once, and gives the same again.
    let state = matcher.capture().unwrap();
    let restored = Matcher::restore(world::setup(&tied, &scripts, Time(0)), &state).unwrap();
    assert_eq!(restored.history(), matcher.history());
    assert_eq!(restored.stats().samples, matcher.stats().samples);
    matcher.replace(apart.plan, apart.estate, scripts, &mut out);
    assert_eq!(matcher.holding().count(), 0);
}

#[test]
fn time_alone_takes_back_what_was_kept() {
    let mut matcher = matcher(&[LASTING], Limits::default());
    let mut out = Vec::new();
    for at in 0..20_000 {
        let fact = sample(&matcher, "db", START.plus(at * SECOND), 95.0);
        matcher.feed(fact, &mut out);
    }
    // 10 minutes looked back, 5 of `for`, twice the staleness: what is older goes, half a buffer at a time.
    let stats = matcher.stats();
    assert!(stats.samples < 2 * 25 * 60 + 100 && !stats.degraded(), "{stats:?}");
}

#[test]
fn a_state_that_cannot_be_read_is_refused() {
    let scripts = Arc::new(world::scripts());
    let project = world::project(TOPOLOGY, &[LASTING.to_owned()], &scripts);
    let state = matcher(&[LASTING], Limits::default()).capture().unwrap();
    let restore = |bytes: &[u8]| Matcher::restore(world::setup(&project, &scripts, START), bytes).map(|_| ());
    assert_eq!(restore(&state), Ok(()));
    assert!(matches!(restore(&state[..state.len() / 2]), Err(StateError::Unreadable(_))));
    assert!(matches!(restore(b""), Err(StateError::Unreadable(_))));
    let newer = String::from_utf8(state).unwrap().replace("\"version\":1", "\"version\":2");
    assert_eq!(restore(newer.as_bytes()), Err(StateError::Version { found: 2 }));
}

#[test]
fn why_answers_for_a_rule_that_was_never_looked_at() {
    let matcher = matcher(&[LASTING, OTHER], Limits::default());
    let said = matcher.with_why("TOP-1", |engine, why| {
        let other = why.others.first().unwrap();
        let locale = words::Locale::default();
        let writer = words::Writer { locale: &locale, estate: engine.estate };
        let text = writer.evidence(&other.evidence.atoms()[0].0.view(engine.estate, engine.facts));
        (why.findings.len(), other.lacking, text)
    });
    assert_eq!(
        said.unwrap(),
        (0, 1, "db: db.cpu_usage > 90% for 5m — unknown at 23:55:00: db.cpu_usage: no sample of `cpu_usage`".to_owned())
    );
    assert!(matcher.with_why("TOP-9", |_, _| ()).is_none());
}

#[test]
fn two_series_at_one_time_are_one_value() {
    // The second series halves the mean, and with it the peak that the first alone had.
    let peak = "TOP-1 \"Peak\" {\n given db: database\n if peak of db.cpu_usage within 5m > 50%\n then impact db\n}";
    let mut matcher = matcher(&[peak], Limits::default());
    let mut out = Vec::new();
    for (series, value) in [(0, 95.0), (1, 5.0)] {
        let Fact::Sample(sample) = sample(&matcher, "db", START, value) else { continue };
        let labels = BTreeMap::from([("pod".to_owned(), format!("{series}"))]);
        let series = Arc::new(SeriesKey { labels, origin: Origin { file: "metrics.json".to_owned(), index: series }, instance: None });
        matcher.feed(Fact::Sample(Sample { series, ..sample }), &mut out);
    }
    assert_eq!(out.iter().map(|e| e.event).collect::<Vec<_>>(), [Event::Started, Event::Ended]);
    assert!(matcher.history().is_empty(), "it never held");
}

#[test]
fn a_resolution_counts_however_late_it_comes() {
    let alert = "TOP-1 \"Slow\" {\n given s: service\n if alert \"slow\" on s\n then impact s\n}";
    let mut matcher = matcher(&[alert], Limits::default());
    let mut out = Vec::new();
    let fired = Alert {
        origin: Origin { file: "alerts.json".to_owned(), index: 0 },
        component: matcher.estate().find("s"),
        instance: None,
        name: "Slow".to_owned(),
        text: "slow".to_owned(),
        summary: String::new(),
        severity: None,
        labels: BTreeMap::new(),
        start: START,
        end: Time::MAX,
        duplicates: 0,
        flaps: 0,
        trouble: signal::Trouble::default(),
        muted: None,
        measured: None,
    };
    matcher.feed(Fact::Alert(fired.clone()), &mut out);
    // Hours later, and older than anything that is kept.
    matcher.advance(START.plus(600 * MINUTE), &mut out);
    assert_eq!(matcher.holding().count(), 1);
    let outcome = matcher.feed(Fact::Alert(Alert { end: START.plus(5 * MINUTE), ..fired }), &mut out);
    assert_eq!((outcome, matcher.holding().count()), (Outcome::Taken, 0));
    assert_eq!(out.iter().map(|e| e.event).collect::<Vec<_>>(), [Event::Started, Event::Ended]);
}

#[test]
fn what_came_late_and_ends_in_this_instant_goes_on_with_a_fact_of_the_same_instant() {
    let mut matcher = matcher(&[LASTING], Limits::default());
    let mut out = Vec::new();
    let mut feed = |matcher: &mut Matcher, at: i64, value: f64| {
        let fact = sample(matcher, "db", START.plus(at), value);
        matcher.feed(fact, &mut out);
    };
    matcher.advance(START.plus(MINUTE), &mut Vec::new());
    // Stale from now on; but a minute ago it was high; and it is high now after all.
    feed(&mut matcher, MINUTE, f64::NAN);
    feed(&mut matcher, 0, 95.0);
    feed(&mut matcher, MINUTE, 95.0);
    matcher.advance(START.plus(5 * MINUTE), &mut out);
    let held: Vec<_> = matcher.holding().map(|(_, _, since)| since).collect();
    assert_eq!(held, [START.plus(5 * MINUTE)]);
}

#[test]
fn what_ends_and_goes_on_in_one_instant_has_not_ended() {
    let scripts = Arc::new(world::scripts());
    let mut matcher = matcher(&[LASTING], Limits::default());
    let mut out = Vec::new();
    for minute in [0, 4] {
        let fact = sample(&matcher, "db", START.plus(minute * MINUTE), 95.0);
        matcher.feed(fact, &mut out);
    }
    // Stale from this instant on; another estate; and a sample of the same instant.
    let stale = START.plus(9 * MINUTE + 1);
    matcher.advance(stale, &mut out);
    assert_eq!(out.iter().map(|e| e.event).collect::<Vec<_>>(), [Event::Started, Event::Ended]);
    let same = world::project(TOPOLOGY, &[LASTING.to_owned()], &scripts);
    matcher.replace(Arc::clone(&same.plan), Arc::clone(&same.estate), scripts as Arc<_>, &mut out);
    let fact = sample(&matcher, "db", stale, 95.0);
    matcher.feed(fact, &mut out);
    let held: Vec<_> = matcher.holding().map(|(_, _, since)| since).collect();
    assert_eq!(held, [START.plus(5 * MINUTE)]);
}
