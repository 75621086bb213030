//! Diagnoses a recorded incident and prints the first suspect of each incident.
//!
//!     cargo run --example diagnose -- cases/HIS-20250601

use std::path::Path;
use std::process::ExitCode;

use faultscope::{Diagnostic, Options, Project, find_project, load_bundle};

fn main() -> ExitCode {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "cases/HIS-20250601".to_owned());
    match run(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error[{}]: {}", error.code, error.message);
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path) -> Result<(), Box<Diagnostic>> {
    let root = find_project(folder).unwrap_or_else(|| Path::new(".").to_path_buf());
    let project = Project::load(&root)?;
    // Topology and baseline of a bundle may lie in the folder above it.
    let top = folder.parent().unwrap_or(folder);
    let diagnosis = load_bundle(&project, folder, top, Options::default())?.diagnose();
    for incident in &diagnosis.incidents {
        if let Some(suspect) = incident.suspects.first() {
            let component = suspect.component.as_deref().unwrap_or("unknown component");
            println!("{component}: {} ({:.0}%, {})", suspect.fault, suspect.confidence * 100.0, suspect.rules.join(", "));
        }
    }
    Ok(())
}
