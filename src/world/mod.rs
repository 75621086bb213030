//! A project folder, loaded whole: what stands in `topology/`, `rules/` and `cases/`, checked, ready to be asked.

mod bundle;
mod eval;
mod files;
mod project;
mod topology;

pub use bundle::{Bundle, Options, load_bundle};
pub use eval::{EvalReport, GroupReport, evaluate};
pub use project::{Project, find_project};
pub use topology::{Topology, load_topology};
