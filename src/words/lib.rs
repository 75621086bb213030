//! What a report says, in English and in Chinese. The packages below give typed reasons; here they become sentences, for a [`Locale`].

mod lang;
mod locale;

pub use lang::Lang;
pub use locale::{Locale, Zone};
