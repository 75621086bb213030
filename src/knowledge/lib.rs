//! Past cases, and how similar each of them is to an incident.
//!
//! A case is read from its `case.yaml`; a [`CaseBase`] holds all of them, ready to be compared. A cause that a similar
//! case proposes needs confirmation. What people confirm and correct is [`Feedback`]: it weighs cases ([`Weights`]) and calibrates
//! confidences ([`Calibration`]).

mod calibration;
mod case;
pub mod feedback;
mod recording;
mod reliability;
mod shape;
mod similar;
mod texts;
mod weights;
mod words;

pub use calibration::Calibration;
pub use case::{Case, CaseMetric, Mentions, Root, read_case};
pub use feedback::{Feedback, Layer};
pub use recording::Unusable;
pub use reliability::{Bin, Reliability, brier, ece, reliability};
pub use similar::{CaseBase, Match, RESEMBLES, Similar, Symptoms, TELLS};
pub use weights::{Record, Weights};
