//! Which log lines count as errors.

use super::facts::LogLine;
use super::kubernetes_events::KUBERNETES;

/// Log levels that count as errors.
const BAD_LEVELS: &[&str] = &["error", "err", "fatal", "critical", "crit", "panic", "emerg", "alert", "severe"];

impl LogLine {
    /// The level from its labels, as written.
    pub fn level(&self) -> Option<&str> {
        ["level", "severity", "detected_level"].iter().find_map(|name| self.labels.get(*name)).map(String::as_str)
    }

    /// Whether its level is error or worse; false without a level.
    pub fn is_error(&self) -> bool {
        self.level().is_some_and(|level| BAD_LEVELS.contains(&level.to_ascii_lowercase().as_str()))
    }

    /// Whether a Kubernetes cluster said it about one of its objects. No log was recorded for it, so it says nothing about when logs begin.
    pub fn is_of_cluster(&self) -> bool {
        self.labels.get("source").is_some_and(|source| source == KUBERNETES) && self.labels.contains_key("reason")
    }
}
