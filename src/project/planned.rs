//! A planned change, assessed against a project: what `faultscope change` and the server answer.

use change::{Assessment, Knowledge, assess, read_plan};
use diag::{Diagnostic, Sources};

use super::Project;

/// What a plan would do, and what is wrong with its text.
#[derive(Debug)]
pub struct Planned {
    pub sources: Sources,
    pub diagnostics: Vec<Diagnostic>,
    /// `None` if the plan cannot be used. Its sentences are not told yet.
    pub assessment: Option<Assessment>,
}

/// Reads and assesses a plan. Messages refer to it as `shown`.
pub fn planned(project: &Project, shown: &str, text: String) -> Planned {
    let mut sources = Sources::default();
    let source = sources.add(shown, text);
    let (plan, diagnostics) = read_plan(&sources, source, &project.estate);
    let known = Knowledge { plan: &project.plan, cases: &project.cases };
    let assessment = plan.map(|plan| assess(&project.estate, &plan, known));
    Planned { sources, diagnostics, assessment }
}
