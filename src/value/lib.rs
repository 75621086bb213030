//! Small values that every level speaks of: instants and durations, units, three-valued truth, YAML with places
//! (`yaml`) and the reading of it (`fields`).

pub mod fields;
mod time;
mod truth;
mod unit;
pub mod yaml;

pub use time::{DAY, Duration, HOUR, MINUTE, SECOND, Time, WEEK};
pub use truth::Truth;
pub use unit::{Dimension, Unit, format_number};
