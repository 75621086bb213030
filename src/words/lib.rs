//! What a report says, in English and in Chinese. The packages below give typed reasons; here they become sentences, for a [`Locale`].

mod diagnosis;
mod evidence;
mod lang;
mod locale;
mod reasons;
mod writer;

pub use diagnosis::tell;
pub use lang::Lang;
pub use locale::{Locale, Zone};
pub use reasons::track_record;
pub use writer::Writer;
