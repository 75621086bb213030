//! faultscope: expert-first fault localisation. See `ARCHITECTURE.md` for the map.

pub mod anomaly;
pub mod change;
pub mod cli;
pub mod compile;
pub mod diag;
pub mod engine;
pub mod estate;
pub mod import;
pub mod knowledge;
pub mod language;
pub mod localize;
pub mod mine;
pub mod script;
pub mod server;
pub mod signal;
pub mod store;
pub mod value;
pub mod world;
