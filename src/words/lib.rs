//! What a report says, in English and in Chinese. The packages below give typed reasons; here they become sentences, for a [`Locale`].

mod bench;
mod confirm;
mod diagnosis;
mod eval;
mod evidence;
mod lang;
mod locale;
mod reasons;
mod walk;
mod why;
mod writer;

pub use diagnosis::tell;
pub use lang::Lang;
pub use locale::{Locale, Zone};
pub use writer::Writer;
