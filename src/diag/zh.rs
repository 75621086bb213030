//! The catalogue: for every English template the Chinese one. `tests/chinese.rs` holds that none is missing and none is idle.
//!
//! In a Chinese template, `{}` takes the arguments in order, `{0}` and `{1}` by position. Keywords, ids and code in backticks stay as they
//! are. Where an argument meets a Chinese character, `text` puts the space.

mod commands;
mod estate;
mod language;
mod notices;
mod project;
mod replay;
mod rules;
mod server;
mod signal;

const PARTS: &[&[(&str, &str)]] =
    &[language::PART, rules::PART, estate::PART, signal::PART, project::PART, commands::PART, server::PART, notices::PART, replay::PART];

/// Every English template with its Chinese.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    PARTS.iter().flat_map(|part| part.iter()).copied()
}

/// The Chinese of a template.
pub(super) fn find(english: &str) -> Option<&'static str> {
    all().find(|(template, _)| *template == english).map(|(_, chinese)| chinese)
}
