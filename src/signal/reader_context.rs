//! The context of all readers: it collects facts, counts and complaints.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use diag::{Code, Diagnostic, Severity, Text, text};
use estate::ComponentId;

use super::counts::Counts;
use super::facts::{Facts, Origin, Unread};
use super::placement::Placement;
use super::prometheus::Unsaid;
use super::resolver::Resolver;

pub(super) struct ReaderContext<'a> {
    pub placer: Resolver<'a>,
    pub facts: Facts,
    pub counts: Counts,
    pub diagnostics: Vec<Diagnostic>,
    pub unsaid: Vec<Unsaid>,
}

impl<'a> ReaderContext<'a> {
    pub fn new(placer: Resolver<'a>) -> Self {
        Self { placer, facts: Facts::default(), counts: Counts::default(), diagnostics: Vec::new(), unsaid: Vec::new() }
    }

    /// Runs the reader of one file. An error only affects that file. Returns whether it could be read.
    pub fn run(&mut self, reader: impl FnOnce(&mut Self) -> Result<(), Box<Diagnostic>>) -> bool {
        match reader(self) {
            Ok(()) => true,
            Err(diagnostic) => {
                self.diagnostics.push(*diagnostic);
                false
            }
        }
    }

    /// The component of a placement; if there is none, the reason is counted.
    pub fn settle(&mut self, placement: &Placement, origin: &Origin) -> Option<ComponentId> {
        if let Some(why) = &placement.why {
            self.facts.miss(why, origin);
        }
        placement.component
    }

    pub fn unread(&mut self, file: &str, index: usize, reason: impl Into<String>) {
        self.facts.unread.push(Unread { origin: Origin { file: file.to_owned(), index }, reason: reason.into() });
    }
}

/// A warning about a file of signals. These files are too big to be kept, so the place is part of the message.
pub(super) fn warning(code: Code, message: Text) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..Diagnostic::nowhere(code, message) }
}

/// Complaints about entries of one file: one warning for each reason, with the count and the first entry, because a file often has
/// the same error a hundred thousand times.
#[derive(Default)]
pub(super) struct Complaints {
    /// By code and reason in English, which decide the order: the reason, the count, the first entry.
    found: BTreeMap<(Code, String), (Text, usize, Text)>,
}

impl Complaints {
    /// `first` describes the first entry: ``alert 3, `yesterday` ``.
    pub fn add(&mut self, code: Code, reason: impl Into<Text>, count: usize, first: impl FnOnce() -> Text) {
        if count == 0 {
            return;
        }
        let reason: Text = reason.into();
        match self.found.entry((code, reason.to_string())) {
            Entry::Occupied(mut entry) => entry.get_mut().1 += count,
            Entry::Vacant(entry) => {
                entry.insert((reason, count, first()));
            }
        }
    }

    pub fn report(self, file: &str, diagnostics: &mut Vec<Diagnostic>) {
        for ((code, _), (reason, count, first)) in self.found {
            diagnostics.push(warning(code, text!("`{}`: {}: {} (the first: {})", file, reason, count, first)));
        }
    }
}
