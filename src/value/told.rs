//! A reason as data, together with its words.

use schemars::JsonSchema;
use serde::Serialize;

/// A code with its parameters, and the sentence that it makes in the language of the report. The sentence is empty until package `words`
/// writes it, at the edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Told<R> {
    #[serde(flatten)]
    pub what: R,
    pub text: String,
}

impl<R> From<R> for Told<R> {
    fn from(what: R) -> Self {
        Told { what, text: String::new() }
    }
}
