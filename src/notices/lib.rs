//! Tells people of incidents: one message for each incident and channel, kept up to date, sent until it arrives or is given up.
//!
//! Pure: `settings` reads the section `notify` of `server.yaml`, `routing` says who hears of an incident, `story` what there is to say,
//! `template` and `escape` make a text of it, `request` the request that the channel takes, and `answer` reads what came back. `ledger`
//! remembers what was sent. `sender` sends, and `notifier` runs it all.

mod answer;
mod escape;
mod ledger;
mod mail;
mod notifier;
mod request;
mod routing;
mod sender;
mod settings;
mod story;
mod template;
mod wording;

#[cfg(test)]
mod tests;

pub use answer::Failure;
pub use ledger::{Attempts, Delivery, Outcome, Reference};
pub use notifier::{ChannelState, Failed, Notifier, Source, State, test_message};
pub use request::{Occasion, Request, request};
pub use routing::{Route, Window};
pub use settings::{Account, Channel, Mail, Security, Settings};
pub use story::{Advice, Story, happened};
