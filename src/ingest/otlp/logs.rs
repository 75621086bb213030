//! Log records of OTLP as lines.

use diag::{Code, text};
use signal::{EntryKind, Intake, RawLine};
use value::Time;

use super::super::wire::lossy;
use super::super::wire::otlp::{LogRecord, Logs};
use super::attributes;
use super::json::Wrong;

/// The levels of severity numbers: four numbers each, from 1.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

const NANOSECONDS_PER_MILLISECOND: i128 = 1_000_000;

pub(super) fn take(request: Logs, wrong: &Wrong, received: Time, intake: &mut Intake<'_>) {
    let mut position = 0;
    for of_resource in request.resources {
        let resource = attributes::of_resource(&of_resource.resource.unwrap_or_default().attributes);
        let mut lines = Vec::new();
        for record in of_resource.scopes.into_iter().flat_map(|scope| scope.records) {
            let taken = wrong
                .get(&position)
                .map_or_else(|| line(&record, received).ok_or_else(|| text!("a log record without a body")), |reason| Err(reason.clone()));
            match taken {
                Ok(line) => lines.push(line),
                Err(reason) => intake.refuse(EntryKind::LogLine, position, 1, Code::SIGNAL_ENTRY, &reason),
            }
            position += 1;
        }
        intake.lines(resource, lines);
    }
}

/// The body; of an event without one, its name.
fn line(record: &LogRecord, received: Time) -> Option<RawLine> {
    let body = record.body.as_ref().and_then(attributes::text);
    let text = body.or_else(|| Some(lossy(&record.event)).filter(|name| !name.is_empty()))?;
    let mut labels = attributes::labels(&record.attributes);
    labels.extend(level(record).map(|level| ("level".to_owned(), level)));
    let sent = [record.time, record.observed].into_iter().find(|time| *time > 0).map(i128::from);
    let nanoseconds = sent.unwrap_or_else(|| i128::from(received.0) * NANOSECONDS_PER_MILLISECOND);
    Some(RawLine { nanoseconds, text, labels })
}

/// The number says it in one way for all; the text as the program has it.
fn level(record: &LogRecord) -> Option<String> {
    let by_number = usize::try_from(record.severity.saturating_sub(1)).ok().and_then(|number| LEVELS.get(number / 4));
    by_number.map(|level| (*level).to_owned()).or_else(|| Some(lossy(&record.severity_text)).filter(|text| !text.is_empty()))
}
