//! Signals: the formats that tools write, read into facts and placed on the components of an estate.
//!
//! [`read_bundle`] is the only function here that touches the disk; [`read_facts`] is pure. What cannot be read is never
//! lost silently: it is counted in [`Counts`], reported as a diagnostic, and, if it is a single entry, listed in `Facts::unread`.

mod alert_text;
mod alertmanager;
mod answers;
mod bundle;
mod combined;
mod counter;
mod counts;
mod deliveries;
mod events;
mod fact;
mod facts;
mod finding;
mod hashes;
mod json;
mod kubernetes_events;
mod kubernetes_grades;
mod kubernetes_objects;
mod kubernetes_status;
mod labels;
mod level;
mod live;
mod loki;
mod lookup;
mod mapping;
mod mapping_check;
mod mapping_rules;
mod measured;
mod messenger;
mod parts;
mod placed;
mod placement;
mod placing;
mod points;
mod prometheus;
mod reader_context;
mod recording;
mod resolver;
mod samples;
mod scale;
mod scores;
mod seen;
mod sources;
#[cfg(test)]
mod tests;
mod traces;
mod trouble;
mod wanted;

pub use bundle::{BundleText, FileText, MAX_FILE_BYTES, MAX_SKEW, first_time, last_time, read_bundle, read_facts, skew};
pub use counter::{is_counter, rates};
pub use counts::{Counts, KindCounts};
pub use deliveries::DEBOUNCE;
pub use fact::{Fact, Sample, SeriesKey, Signal};
pub use facts::{Alert, Change, Facts, LogLine, Muted, Origin, Present, Probe, Report, Score, Series, Unread};
pub use kubernetes_events::KUBERNETES;
pub use kubernetes_grades::{begins_known, known_reasons};
pub use live::{Delivered, EntryKind, Intake, RawLine};
pub use mapping::Counter;
pub use mapping_rules::{EventKind, MappingRules, Scorer};
pub use measured::Measured;
pub use messenger::Messenger;
pub use placed::{PlacedFile, PlacedSignal, RefusedEntry, placed};
pub use placement::{PlacedBy, Placement, SUBJECT, Unplaced, UnplacedGroup};
pub use points::Points;
pub use prometheus::{LabelledSeries, read_series};
pub use reader_context::Rejected;
pub use recording::{Excerpt, recording};
pub use resolver::Resolver;
pub use scale::{MIN_TAIL, RUN_TAIL, Scale};
pub use scores::{ScoreEntry, ScoreFrame, ScoreRefusal, add_scores, score_entries, score_of};
pub use seen::{CALLS, MOST_CALLS, MOST_PODS, SIGNALS, Seen, SeenPod, Sighting, Sightings, TRACES};
pub use traces::{Calls, Minutes, SentSpan, SpanFamily, Spans, span_family};
pub use trouble::{Phrases, Trouble, trouble_of};
pub use wanted::Wanted;
