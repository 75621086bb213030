//! Alerts whose senders go silent end at their deadlines, each at its own.

use std::collections::BTreeMap;

use signal::{Alert, Fact, Facts, Origin, Trouble};
use value::{MINUTE, Time};

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
