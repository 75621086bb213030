//! All integration tests, as one program: each file is a module, each folder beside it holds its cases.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::too_many_lines,
    reason = "a test that fails may panic"
)]

mod common;

mod anomaly;
mod answer;
mod badinput;
mod bilingual;
mod blame;
mod change;
mod check;
mod chinese;
mod claims;
mod cluster;
mod confirm;
mod counters;
mod dependencies;
mod diagnose;
mod docs;
mod engine;
mod hostile;
mod hostile_files;
mod import;
mod knowledge;
mod matcher;
mod mine;
mod notices;
mod placing;
mod recorded;
mod reference;
mod seen;
mod serve;
mod serve_guard;
mod serve_kill;
mod serve_live;
mod serve_pull;
mod serve_real;
mod serve_reload;
mod serve_replay;
mod serve_session;
mod store;
mod store_damage;
mod store_files;
mod store_history;
mod tidy;
mod timeline;
mod twins;
