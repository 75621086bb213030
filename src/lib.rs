//! faultscope: expert-first fault localization.
//!
//! This is the façade for programs that embed it: load a [`Project`], load the [`Bundle`] of an incident and ask for its [`Diagnosis`], or
//! feed a [`Matcher`] fact by fact. `examples/` shows both. The packages behind it (`src/*`) are internal; `ARCHITECTURE.md` is their map.
#![deny(missing_docs)]

/// Errors and warnings with a stable code, a place and a way to fix them.
pub use diag::{Code, Diagnostic, Text};
/// A matcher and what it takes and tells: facts in, findings that start, change and end out.
pub use engine::matcher::{Emitted, Event, Fact, Limits, Matcher, Setup};
/// What a diagnosis answers: incidents with their suspects, the layer that named each, and where every signal ended.
pub use localize::{Diagnosis, Incident, Layer, Suspect};
/// Projects and bundles on disk.
pub use project::{Bundle, Options, Project, find_project, load_bundle};
/// Times and durations, both in milliseconds.
pub use value::{Duration, Time};
