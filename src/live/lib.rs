//! A running faultscope: takes signals as they arrive, loses none that it accepted, and always has an answer.
//!
//! `journal` keeps accepted requests on disk, `damage` says what is damaged there. `window` holds the facts of the recent past, `world` a
//! project with such a window: it takes requests and diagnoses. `laid` is the estate with what signals show beyond it. `intake` reads and
//! writes requests. `incidents` follows incidents from diagnosis to diagnosis, `incident_log` keeps them on disk, `clocks` has their targets. `traffic` counts what senders
//! sent, `scores` lists those of external models. `core` runs them. A start, a reload and a crash all take one way: a new world reads the
//! journal.

mod action;
mod clocks;
mod core;
mod damage;
mod incident_log;
mod incidents;
mod intake;
mod journal;
mod laid;
mod scores;
mod traffic;
mod window;
mod world;

pub use self::core::{Live, Options, Published, Recent, held};
pub use action::{Action, Cause};
pub use clocks::{Clock, Targets};
pub use damage::set_damage_aside;
pub use incidents::{Event, Incidents, Status, Step, Tracked, What};
pub use intake::{Backlog, Receipt, Refused, Request};
pub use journal::{Entries, Entry, Found, Head, Journal, Retention};
pub use laid::Laid;
pub use scores::KeptScore;
pub use traffic::{BOUNDS, Delays, Source, Traffic};
pub use window::{Keep, LetGo, Window};
pub use world::{Revision, World};

#[cfg(test)]
mod incident_tests;
#[cfg(test)]
mod journal_tests;
#[cfg(test)]
mod laid_tests;
#[cfg(test)]
mod window_tests;
