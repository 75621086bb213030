//! Diagnostics: what is wrong and where, what was expected, and how to fix it.
//!
//! Everything that reads a user's file reports through [`Diagnostic`]; nothing else prints errors.

mod codes;
mod nearest;
mod plain;
mod render;
mod source;
mod text;
mod zh;

pub use codes::{Code, all as all_codes};
pub use nearest::{did_you_mean, nearest, suggestion};
pub use plain::{address, diagram, is_secret, markdown, mask, one_line, visible};
pub use render::{render, render_json};
pub use source::{LineColumn, Place, SourceId, Sources, Span};
pub use text::{Argument, Text, errors, placeholders};
// For `text!` only, which is used in every package.
#[doc(hidden)]
pub use text::{Handed, PlainArgument, TextArgument};
pub use zh::all as translations;

/// How much a diagnostic matters: an error keeps its item out of the plan, a warning does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// One problem, with its place and its fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    /// Lowercase, the user's words in backticks, no full stop.
    pub message: Text,
    /// Absent only for what has no text: a missing folder, a file that cannot be read.
    pub place: Option<Place>,
    /// A short note on the marked text.
    pub label: Text,
    /// Related places: "first declared here".
    pub related: Vec<(Place, Text)>,
    /// How to fix it.
    pub help: Option<Text>,
}

impl Diagnostic {
    pub fn error(code: Code, place: Place, message: impl Into<Text>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            place: Some(place),
            label: Text::default(),
            related: Vec::new(),
            help: None,
        }
    }

    pub fn warning(code: Code, place: Place, message: impl Into<Text>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    /// An error without a place in a file.
    pub fn nowhere(code: Code, message: impl Into<Text>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            place: None,
            label: Text::default(),
            related: Vec::new(),
            help: None,
        }
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<Text>) -> Self {
        self.label = label.into();
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<Text>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn related(mut self, place: Place, label: impl Into<Text>) -> Self {
        self.related.push((place, label.into()));
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Puts diagnostics into the order in which they are shown: by file, place, code. Same input, same bytes out.
pub fn sort(sources: &Sources, diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| {
        let key = |d: &Diagnostic| {
            (d.place.map(|p| (sources.path(p.source).to_owned(), p.span.start, p.span.end)), d.code, d.message.to_string())
        };
        key(a).cmp(&key(b))
    });
    diagnostics.dedup();
}
