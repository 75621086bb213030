//! What people do about incidents.

/// What was the cause, as a person says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub component: String,
    pub fault: String,
    /// The folder of the case that was made of it.
    pub case: Option<String>,
}

/// What a person does about an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Acknowledge,
    Assign(String),
    Note(String),
    Resolve,
    /// What was resolved is not over.
    Reopen,
    /// It is the same as another incident.
    Merge(u64),
    /// It is not the same after all.
    Split,
    Confirm(Cause),
}
