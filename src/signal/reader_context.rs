//! The context of all readers: it collects facts, counts and complaints.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use diag::{Code, Diagnostic, Severity, Text, text};
use estate::ComponentId;
use value::Time;

use super::counts::Counts;
use super::facts::{Facts, Origin, Unread};
use super::mapping::Counter;
use super::placement::Placement;
use super::prometheus::Unproven;
use super::resolver::Resolver;

/// The largest number of rejected entries that are kept with their reasons: whoever sent more wrong ones has the same reason many times.
const MAX_LISTED: usize = 100;

/// An entry that cannot be used, for whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its position among the entries of its kind, from 0.
    pub position: usize,
    pub code: Code,
    pub reason: Text,
}

pub(super) struct ReaderContext<'a> {
    pub placer: &'a Resolver<'a>,
    pub facts: Facts,
    pub counts: Counts,
    pub diagnostics: Vec<Diagnostic>,
    pub unsaid: Vec<Unproven>,
    /// Positions of series of a live request that are counters, whose values are not read yet.
    pub counters: Vec<(usize, Counter)>,
    /// When a live request came: what has no time of its own happened then. `None` for a recording.
    pub received: Option<Time>,
    /// For each alert of the facts, when it counts as resolved unless it is sent again; [`Time::MAX`] if only a resolution ends it.
    pub deadlines: Vec<Time>,
    /// The first [`MAX_LISTED`] rejected entries.
    pub rejected: Vec<Rejected>,
}

impl<'a> ReaderContext<'a> {
    pub fn new(placer: &'a Resolver<'a>) -> Self {
        Self {
            placer,
            facts: Facts::default(),
            counts: Counts::default(),
            diagnostics: Vec::new(),
            unsaid: Vec::new(),
            counters: Vec::new(),
            received: None,
            deadlines: Vec::new(),
            rejected: Vec::new(),
        }
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

    /// Notes an entry that is not used; `found` is what it has instead, and may be empty.
    pub fn unread(&mut self, file: &str, index: usize, kind: &str, code: Code, reason: &Text, found: &str) {
        let unread = Unread { origin: Origin { file: file.to_owned(), index }, reason: format!("{kind}: {reason}{found}") };
        self.facts.unread.push(unread);
        self.list(Rejected { position: index, code, reason: text!("{}{}", reason, found) });
    }

    /// Keeps one for the sender.
    pub fn list(&mut self, rejected: Rejected) {
        if self.rejected.len() < MAX_LISTED {
            self.rejected.push(rejected);
        }
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
