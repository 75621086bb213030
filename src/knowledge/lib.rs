//! Past cases, and how similar each of them is to an incident.
//!
//! A case is read from its `case.yaml`; a [`CaseBase`] holds all of them, ready to be compared. A cause that a similar
//! case proposes needs confirmation. What people confirm and correct is [`Feedback`]: it weighs cases ([`Weights`]) and calibrates
//! confidences ([`Calibration`]).
//!
//! A [`KnowledgeGraph`] ties cases, confirmed causes and rules to components, faults, symptoms and solutions, and walks from one to the
//! other.

mod answer;
mod around;
mod calibration;
mod case;
mod draw;
pub mod feedback;
mod find;
mod graph;
mod recording;
mod reliability;
mod shape;
mod similar;
mod texts;
mod walk;
mod weights;
mod words;

pub use answer::{Answer, Asked, Earlier, Helped, RuleSaid, Step};
pub use calibration::Calibration;
pub use case::{Case, CaseMetric, Mentions, Root, read_case};
pub use feedback::{Feedback, Layer};
pub use graph::{KnowledgeGraph, Known, Seen, SignalKind};
pub use recording::Unusable;
pub use reliability::{Bin, Reliability, brier, ece, reliability};
pub use similar::{CaseBase, Match, RESEMBLES, Similar, Symptoms, TELLS};
pub use walk::Walk;
pub use weights::{Record, Weights};
