//! `audit.ndjson`: one line for every write, with who did what, when, and what came of it. Signals are counted, not listed.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use serde_json::json;

use diag::{Code, Diagnostic, text};
use files::Lines;
use live::held;
use value::Time;

use super::tokens::Who;

/// The file in the data folder.
pub const FILE: &str = "audit.ndjson";

/// See the module.
#[derive(Debug)]
pub struct Audit {
    file: Mutex<Lines>,
    /// Requests with signals since the start, by the name of the token.
    sent: Mutex<BTreeMap<String, u64>>,
}

/// What was done.
#[derive(Debug, Clone)]
pub struct Done<'d> {
    pub at: Time,
    pub who: &'d Who,
    pub method: &'d str,
    pub path: &'d str,
    pub status: u16,
}

impl Audit {
    /// # Errors
    /// `UNWRITABLE`: a server that cannot write its audit does not start.
    pub fn open(data: &Path) -> Result<Audit, Box<Diagnostic>> {
        let path = data.join(FILE);
        let file = Lines::open(&path)
            .map_err(|error| Box::new(Diagnostic::nowhere(Code::UNWRITABLE, text!("cannot write `{}`: {}", path.display(), error))))?;
        Ok(Audit { file: Mutex::new(file), sent: Mutex::default() })
    }

    /// Writes a line; on disk when it returns.
    pub fn write(&self, done: &Done<'_>) -> io::Result<()> {
        let Done { at, who, method, path, status } = done;
        self.line(&json!({"at": at, "who": who.name, "role": who.role, "method": method, "path": path, "status": status}))
    }

    /// Signals came.
    pub fn count(&self, who: &Who) {
        *held(&self.sent).entry(who.name.clone().unwrap_or_default()).or_default() += 1;
    }

    /// Writes how many requests with signals each token sent since the start.
    pub fn close(&self, at: Time) -> io::Result<()> {
        let sent = std::mem::take(&mut *held(&self.sent));
        for (name, requests) in sent {
            let who = if name.is_empty() { None } else { Some(name) };
            self.line(&json!({"at": at, "who": who, "role": "ingest", "requests": requests}))?;
        }
        Ok(())
    }

    fn line(&self, line: &serde_json::Value) -> io::Result<()> {
        held(&self.file).append(format!("{line}\n").as_bytes())
    }
}
