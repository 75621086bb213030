//! What a report says, in English and in Chinese. The packages below give typed reasons; here they become sentences, for a [`Locale`].

mod bench;
mod confirm;
mod eval;
mod lang;
mod locale;
mod walk;
mod why;

pub use lang::Lang;
pub use locale::{Locale, Zone};
