//! Recordings of incidents whose cause is known.

/// Why a recording cannot be used to learn from or to measure on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unusable {
    /// The case has no root cause.
    NoRootCause,
    /// The root cause of the case names no component.
    NoComponent,
    /// No recorded signals are in the folder of the case.
    NoSignals,
    /// The journal names a folder that does not exist.
    NoFolder,
    /// The journal says that the answer was right or wrong, but names no root cause.
    Undecided,
    /// A component is named, but not what was wrong with it.
    NoFault,
    /// `expected.json` has both `root_causes` and `no_fault`.
    Both,
    /// `expected.json` has neither.
    Neither,
    /// `expected.json` is not what it must be, and what the parser says.
    Invalid(String),
    /// A file cannot be read; the message of the error.
    Unreadable(String),
}
