//! Why nothing of a request is used.

use diag::{Code, Diagnostic, Text};

/// What kind of answer the sender gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It cannot be read, and sending it again would not help.
    Malformed,
    TooLarge,
    /// Another protocol, content type or compression than those that are taken here.
    Unsupported,
}

/// A request of which nothing is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub why: Why,
    pub code: Code,
    pub message: Text,
    pub help: Option<Text>,
}

impl Refusal {
    pub fn new(why: Why, code: Code, message: Text) -> Self {
        Self { why, code, message, help: None }
    }

    pub fn malformed(message: Text) -> Self {
        Self::new(Why::Malformed, Code::SIGNAL_FORMAT, message)
    }
}

/// The error of a reader.
impl From<Box<Diagnostic>> for Refusal {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        let Diagnostic { code, message, help, .. } = *diagnostic;
        Self { why: Why::Malformed, code, message, help }
    }
}
