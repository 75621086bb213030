//! What a report says, in English and in Chinese. The packages below give typed reasons; here they become sentences, for a [`Locale`].

pub mod change;
mod impact;
mod lang;
mod locale;
mod marks;
mod names;

pub use lang::{Lang, fixed_words};
pub use locale::{Locale, Zone};
