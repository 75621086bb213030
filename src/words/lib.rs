//! What a report says, in English and in Chinese. The packages below give typed reasons; here they become sentences, for a [`Locale`].

mod bench;
pub mod change;
mod confirm;
mod diagnosis;
mod eval;
mod evidence;
mod impact;
mod known;
mod lang;
mod locale;
mod marks;
mod names;
mod reasons;
mod walk;
mod why;
mod writer;

pub use diagnosis::{counted, tell};
pub use lang::{Lang, fixed_words};
pub use locale::{Locale, Zone};
pub use writer::Writer;
