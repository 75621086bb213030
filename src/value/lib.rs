//! Small values used at every level: instants and durations, units, three-valued truth, hexadecimal digits, YAML with places (`yaml`), and
//! its typed reader (`fields`).

pub mod fields;
mod hex;
mod time;
mod told;
mod truth;
mod unit;
pub mod yaml;

pub use hex::{from_hex, to_hex};
pub use time::{DAY, Duration, HOUR, MINUTE, SECOND, Time, WEEK};
pub use told::Told;
pub use truth::Truth;
pub use unit::{Dimension, Unit, format_number};
