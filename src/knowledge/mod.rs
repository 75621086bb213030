//! Past cases, and how similar each of them is to an incident.
//!
//! A case is read from its `case.yaml`; a [`CaseBase`] holds all of them, ready to be compared. What a similar case
//! proposes is a proposal: a person confirms it.

mod case;
mod fields;
mod shape;
mod similar;
mod texts;
mod words;

pub use case::{Case, CaseMetric, Root, read_case};
pub use similar::{CaseBase, RESEMBLES, Similar, Symptoms};
