//! The interface of script predicates: their arguments and results. The sandbox itself is in `script`; the engine uses only this.

use std::collections::BTreeMap;

use value::Time;

/// A component as a script sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScriptComponent {
    pub id: String,
    pub kind: String,
    pub name: String,
    pub attributes: BTreeMap<String, ScriptValue>,
    /// Samples of each metric over the last hour, oldest first, in the metric's own unit.
    pub metrics: BTreeMap<String, Vec<(Time, f64)>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ScriptValue {
    Number(f64),
    Text(String),
    Bool(bool),
    Component(Box<ScriptComponent>),
}

/// Why a script returned no value; its condition is then unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    #[error("stopped after {0}")]
    Limit(String),
    #[error("{0}")]
    Failed(String),
}

/// Script predicates by name. Calls have no side effects.
pub trait Scripts: Send + Sync {
    /// Functions and how many arguments each takes.
    fn functions(&self) -> &BTreeMap<String, usize>;
    /// The failures so far, one line for each function.
    fn failures(&self) -> Vec<String>;
    /// # Errors
    /// The script failed, or was stopped by a limit.
    fn call(&self, function: &str, arguments: Vec<ScriptValue>) -> Result<ScriptValue, ScriptError>;
}
