//! A project folder, loaded as a whole: `topology/`, `rules/` and `cases/`, checked and ready for diagnoses.

mod bundle;
mod cases;
mod eval;
mod folder;
mod http;
mod journal;
mod load;
mod recorded;
mod replay;
#[cfg(test)]
mod replay_tests;
mod scorers;
mod table;
#[cfg(test)]
mod table_tests;
mod topology;
mod truth;

pub use bundle::{Bundle, Options, bundle_of_text, load_bundle, load_bundle_against};
pub use eval::{EvalReport, GroupReport, evaluate};
pub use http::{Answered, MAX_RESPONSE, Sender, get, post_json};
pub use journal::{answer_of, append_feedback, name_in};
pub use folder::stamp;
pub use load::{Project, find_project};
pub use recorded::{case_records, left_out, recorded, records_of};
pub use replay::{Outgoing, Recording, Sent};
pub use table::{parse_instant, read_table};
pub use topology::{Topology, load_topology};
pub use truth::{Collected, Labelled, labelled};
