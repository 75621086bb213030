//! faultscope: expert-first fault localisation. See `ARCHITECTURE.md` for the map.

pub mod diag;
pub mod language;
pub mod value;
