//! Who hears of an incident: routes by owner, severity, tags and time. The first route that fits decides, unless it says `continue`.

use std::collections::BTreeSet;

use live::Tracked;
use value::Time;
use words::Zone;

/// A line of `routes`. What it does not name, it does not ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    pub owners: Vec<String>,
    pub severities: Vec<&'static str>,
    pub tags: Vec<String>,
    pub times: Vec<Window>,
    /// Names of channels.
    pub to: Vec<String>,
    /// The routes below are asked too.
    pub goes_on: bool,
}

/// Some hours on some days of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// From Monday.
    pub days: [bool; 7],
    /// Minutes of the day. An end that is not after the beginning is on the next day.
    pub from: u32,
    pub to: u32,
    pub zone: Zone,
}

impl Window {
    pub fn contains(&self, at: Time) -> bool {
        let Some((day, minute)) = self.zone.week_minute(at) else { return false };
        let on = |day: usize| self.days.get(day % 7).copied().unwrap_or(false);
        if self.from < self.to {
            return on(day) && (self.from..self.to).contains(&minute);
        }
        (on(day) && minute >= self.from) || (on(day + 6) && minute < self.to)
    }
}

impl Route {
    pub fn fits(&self, incident: &Tracked, at: Time) -> bool {
        let owned = || self.owners.iter().any(|owner| owners(incident).contains(owner.as_str()));
        (self.owners.is_empty() || owned())
            && (self.severities.is_empty() || self.severities.contains(&incident.severity.as_str()))
            && (self.tags.is_empty() || self.tags.iter().any(|tag| incident.tags.contains(tag)))
            && (self.times.is_empty() || self.times.iter().any(|window| window.contains(at)))
    }
}

/// Whom the incident concerns: whom a rule names, and the owner of the first suspect.
fn owners(incident: &Tracked) -> BTreeSet<&str> {
    let suspect = incident.report.pointer("/suspects/0/owner").and_then(serde_json::Value::as_str);
    incident.owner.as_deref().into_iter().chain(suspect).collect()
}

/// The channels that hear of an incident at an instant.
pub fn channels<'r>(routes: &'r [Route], incident: &Tracked, at: Time) -> BTreeSet<&'r str> {
    let mut found = BTreeSet::new();
    for route in routes.iter().filter(|route| route.fits(incident, at)) {
        found.extend(route.to.iter().map(String::as_str));
        if !route.goes_on {
            break;
        }
    }
    found
}
