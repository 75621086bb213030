//! Who hears of an incident.

use value::Time;

use super::{incident, settings};
use crate::routing::channels;

const ROUTES: &str = r#"
time_zone: Asia/Shanghai
channels:
  dba: {kind: wecom, url: "env:A"}
  night: {kind: wecom, url: "env:A"}
  boss: {kind: wecom, url: "env:A"}
  all: {kind: wecom, url: "env:A"}
routes:
  - {severity: critical, tags: payment, to: boss, continue: true}
  - {owner: [dba, dba-oncall], times: {days: mon-fri, from: "09:00", to: "18:00"}, to: dba}
  - {times: [{days: [sat, sun]}, {from: "22:00", to: "06:00"}], to: night}
  - to: all
"#;

#[test]
fn the_first_route_that_fits_decides() {
    let settings = settings(ROUTES);
    // 2025-06-02 was a Monday; Shanghai is eight hours ahead.
    for (at, owner, severity, tag, expected) in [
        ("2025-06-02T02:00:00Z", "dba-oncall", "critical", "database", &["dba"][..]),
        ("2025-06-02T02:00:00Z", "somebody", "critical", "database", &["dba"]),
        ("2025-06-02T10:00:00Z", "dba-oncall", "critical", "database", &["all"]),
        ("2025-06-02T09:59:00Z", "dba-oncall", "critical", "database", &["dba"]),
        ("2025-06-02T02:00:00Z", "dba-oncall", "critical", "payment", &["boss", "dba"]),
        ("2025-06-02T02:00:00Z", "dba-oncall", "warning", "payment", &["dba"]),
        // Saturday at eleven, Monday at one, at half past ten in the evening.
        ("2025-06-07T03:00:00Z", "dba-oncall", "warning", "payment", &["night"]),
        ("2025-06-01T17:00:00Z", "dba-oncall", "warning", "payment", &["night"]),
        ("2025-06-02T14:30:00Z", "dba-oncall", "warning", "payment", &["night"]),
        ("2025-06-02T22:00:00Z", "dba-oncall", "warning", "payment", &["all"]),
    ] {
        let mut incident = incident();
        incident.owner = Some(owner.to_owned());
        severity.clone_into(&mut incident.severity);
        incident.tags = vec![tag.to_owned()];
        let found: Vec<&str> = channels(&settings.routes, &incident, Time::parse(at).unwrap()).into_iter().collect();
        assert_eq!(found, expected, "{at} {owner} {severity} {tag}");
    }
}
