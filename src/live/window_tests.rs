//! Alerts whose senders go silent end at their deadlines, each at its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use signal::{Alert, Fact, Facts, LogLine, Origin, Series, Trouble};
use value::{HOUR, MINUTE, Time};

use super::{Keep, Window};

fn alert(name: &str, request: usize, end: Time) -> Alert {
    Alert {
        origin: Origin { file: format!("alerts {request}"), index: 0 },
        component: None,
        instance: None,
        name: name.to_owned(),
        text: name.to_owned(),
        summary: name.to_owned(),
        severity: None,
        labels: BTreeMap::from([("alertname".to_owned(), name.to_owned())]),
        start: Time(0),
        end,
        duplicates: 0,
        flaps: 0,
        trouble: Trouble::default(),
        muted: None,
        measured: None,
    }
}

fn send(window: &mut Window, alert: Alert, deadline: i64, now: i64) {
    let facts = Facts { alerts: vec![alert], ..Facts::default() };
    window.take(facts, &[Time(deadline)], &[], Time(now), |_| {});
}

/// Which alerts end as time passes.
fn ended(window: &mut Window, now: i64) -> Vec<(String, i64)> {
    let mut told = Vec::new();
    window.pass_time(Time(now), |fact| {
        if let Fact::Alert(alert) = fact {
            told.push((alert.name, alert.end.0));
        }
    });
    told.sort();
    told
}

#[test]
fn silent_senders() {
    let mut window = Window::new(Keep::default());
    for (request, name) in ["A", "B", "C"].into_iter().enumerate() {
        send(&mut window, alert(name, request, Time::MAX), MINUTE, 0);
    }
    // B is repeated, C is resolved.
    send(&mut window, alert("B", 3, Time::MAX), 3 * MINUTE, MINUTE / 2);
    send(&mut window, alert("C", 4, Time(40_000)), Time::MAX.0, 40_000);
    assert!(ended(&mut window, MINUTE - 1).is_empty());
    assert_eq!(ended(&mut window, MINUTE), [("A".to_owned(), MINUTE)]);
    assert!(ended(&mut window, 2 * MINUTE).is_empty());
    // A fires again, and is silent again.
    send(&mut window, alert("A", 5, Time::MAX), 4 * MINUTE, 2 * MINUTE);
    assert_eq!(ended(&mut window, 10 * MINUTE), [("A".to_owned(), 4 * MINUTE), ("B".to_owned(), 3 * MINUTE)]);
    assert!(ended(&mut window, 20 * MINUTE).is_empty());
}

/// What is received last counts, also in the same interval.
#[test]
fn what_fires_again_since_the_same_instant() {
    // What is sent: `None` fires, `Some` is an end; until when its sender repeats it; when it is received.
    let never = Time::MAX.0;
    for (sent, fires) in [
        // Of a pair that sends webhooks, one says that it is over.
        (&[(None, never, 0), (Some(10), never, 10), (None, never, 20)][..], true),
        (&[(None, never, 0), (Some(10), never, 10), (None, never, 20), (Some(10), never, 30)], false),
        // It was received before the end was, and read after it.
        (&[(None, never, 0), (Some(10), never, 10), (None, never, 9)], false),
        // One Prometheus of a pair goes on to say that it is over; then so does the other one.
        (&[(None, 90, 0), (Some(10), never, 10), (None, 110, 20), (Some(10), never, 30), (None, 140, 50)], true),
        (&[(None, 90, 0), (Some(10), never, 10), (None, 110, 20), (Some(10), never, 30), (Some(40), never, 40)], false),
        // Known by its end alone.
        (&[(Some(10), never, 10), (None, 110, 20)], true),
    ] {
        let mut window = Window::new(Keep::default());
        for (request, (end, deadline, received)) in sent.iter().enumerate() {
            send(&mut window, alert("A", request, end.map_or(Time::MAX, Time)), *deadline, *received);
        }
        window.settle();
        let alerts = &window.facts().alerts;
        assert_eq!((alerts.len(), alerts[0].end == Time::MAX), (1, fires), "{sent:?}");
        let counts = window.counts().alerts;
        assert_eq!(counts.received, sent.len(), "{sent:?}");
    }
}

/// The end of an occurrence before the one that fires, told late, ends nothing.
#[test]
fn what_was_over_before_it_began() {
    let mut window = Window::new(Keep::default());
    let occurrence = |request: usize, start: i64, end: Time| Alert { start: Time(start), ..alert("A", request, end) };
    send(&mut window, occurrence(0, 100, Time::MAX), 900, 100);
    send(&mut window, occurrence(1, 10, Time(50)), Time::MAX.0, 120);
    window.settle();
    assert!(window.facts().alerts.iter().any(|alert| alert.start == Time(100) && alert.end == Time::MAX));
    // Clocks differ a little: an end without a start ends what fires.
    send(&mut window, occurrence(2, 95, Time(95)), Time::MAX.0, 130);
    window.settle();
    assert!(window.facts().alerts.iter().all(|alert| alert.end < Time::MAX));
}

/// A sample from before the window is no repeat of one, and makes no series.
#[test]
fn samples_that_are_too_old() {
    let keep = Keep::default();
    let series = |times: &[i64]| Series {
        origin: Origin { file: "remote-write 1".to_owned(), index: 0 },
        component: None,
        instance: None,
        metric: "cpu".to_owned(),
        modelled: false,
        labels: BTreeMap::new(),
        points: times.iter().map(|hours| (Time(hours * HOUR), 1.0)).collect(),
    };
    for (times, kept, too_old) in [(&[6, 7][..], 0, 2), (&[6, 7, 8], 1, 2), (&[9, 10], 2, 0)] {
        let facts = Facts { series: vec![series(times)], ..Facts::default() };
        assert_eq!(keep.too_old(&facts, Time(11 * HOUR)), too_old, "{times:?}");
        let mut window = Window::new(keep);
        window.take(facts, &[], &[], Time(11 * HOUR), |_| {});
        let counts = window.counts();
        let found = (counts.samples.kept, counts.samples.duplicates, counts.series.kept);
        assert_eq!(found, (kept, 0, usize::from(kept > 0)), "{times:?}");
    }
}

/// Who keeps the facts while more arrive makes that copy the series concerned, not the samples of all others.
#[test]
fn a_copy_shares_samples() {
    let series = |metric: &str, time: i64| Series {
        origin: Origin { file: "remote-write 1".to_owned(), index: 0 },
        component: None,
        instance: None,
        metric: metric.to_owned(),
        modelled: false,
        labels: BTreeMap::new(),
        points: vec![(Time(time), 1.0)].into(),
    };
    let mut window = Window::new(Keep::default());
    let send = |window: &mut Window, series: Vec<Series>| {
        window.take(Facts { series, ..Facts::default() }, &[], &[], Time(0), |_| {});
        window.settle();
    };
    send(&mut window, vec![series("a", 0), series("b", 0)]);
    let held = Arc::clone(window.facts());
    send(&mut window, vec![series("a", 1)]);
    let (before, after) = (&held.series, &window.facts().series);
    assert_eq!((before[0].points.len(), after[0].points.len()), (1, 2));
    assert_eq!(before[1].points.as_ptr(), after[1].points.as_ptr());
}

/// A journal of more than fits is read without removing what is over after each request; at its end the limit holds.
#[test]
fn limits_have_room_while_a_journal_is_read() {
    let mut window = Window::new(Keep { most_signals: 8, ..Keep::default() });
    let mut most = 0;
    for at in 0..25 {
        window.pass_time_reading(Time(at));
        let origin = Origin { file: format!("loki {at}"), index: 0 };
        let line = LogLine { origin, component: None, instance: None, time: Time(at), text: String::new(), labels: BTreeMap::new() };
        window.take(Facts { logs: vec![line], ..Facts::default() }, &[], &[], Time(at), |_| {});
        most = window.facts().logs.len().max(most);
    }
    assert_eq!(most, 11);
    window.pass_time(Time(25), |_| {});
    let times: Vec<i64> = window.facts().logs.iter().map(|line| line.time.0).collect();
    assert_eq!((times, window.let_go.signals), ((17..25).collect(), 17));
}
