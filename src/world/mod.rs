//! A project folder, loaded whole: what stands in `topology/`, `rules/` and `cases/`, checked, ready to be asked.

mod bundle;
mod eval;
mod files;
mod journal;
mod project;
mod recorded;
mod topology;

pub use bundle::{Bundle, Options, load_bundle, load_bundle_against};
pub use eval::{EvalReport, GroupReport, evaluate};
pub use journal::{answer_of, append_feedback, name_in};
pub use project::{Project, find_project};
pub use recorded::{case_records, recorded, records_of};
pub use topology::{Topology, load_topology};
