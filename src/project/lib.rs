//! A project folder, loaded as a whole: `topology/`, `rules/` and `cases/`, checked and ready for diagnoses.

mod as_of;
mod bundle;
mod cases;
mod eval;
mod folder;
mod hidden;
mod http;
mod impact;
mod journal;
mod known;
mod load;
mod new_case;
mod planned;
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
mod why;

pub use as_of::{DEFAULT_STORE, Then, estate_at, is_missing, must_exist, open_existing, patiently, revision_of, unusable};
pub use bundle::{Bundle, Options, bundle_of_text, load_bundle, load_bundle_against};
pub use eval::{EvalReport, GroupReport, chance, evaluate, ranking};
pub use folder::stamp;
pub use hidden::Hidden;
pub use http::{Answer, MAX_RESPONSE, Sender, get, post, post_json};
pub use impact::{GroupItem, ImpactFilter, ImpactItem, ImpactReport, find_components, find_type, impact, unknown_component};
pub use journal::{answer_of, append_feedback, name_in};
pub use load::{Project, find_project};
pub use new_case::{case_yaml, expected_json, free_case_id, write_case};
pub use planned::{Planned, planned};
pub use recorded::{case_records, left_out, recorded, records_of};
pub use replay::{Outgoing, Recording, Sent};
pub use table::{parse_instant, read_table};
pub use topology::{Topology, load_topology};
pub use truth::{Collected, Labelled, labelled};
pub use why::{BindingReport, ConditionReport, WhyReport, why};
