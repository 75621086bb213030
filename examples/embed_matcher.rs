//! Feeds the signals of a recording to the streaming matcher, one by one, as a live source would, and prints what starts and ends.
//!
//!     cargo run --example embed_matcher -- cases/HIS-20250601

use std::path::Path;
use std::process::ExitCode;

use faultscope::{Diagnostic, Event, Fact, Matcher, Options, Project, find_project, load_bundle};

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
    let bundle = load_bundle(&project, folder, folder.parent().unwrap_or(folder), Options::default())?;
    let facts = Fact::all_of(&bundle.facts);
    let Some(first) = facts.first() else { return Ok(()) };
    let mut matcher = Matcher::new(bundle.setup(first.time()));
    let mut emitted = Vec::new();
    for fact in facts {
        matcher.feed(fact, &mut emitted);
    }
    // Conditions with a duration may be met, or end, without any further fact.
    matcher.advance(bundle.at, &mut emitted);
    for one in &emitted {
        let event = match one.event {
            Event::Started => "started",
            Event::Changed => continue,
            Event::Ended => "ended",
        };
        println!("{} {event} {}", one.at, matcher.rule_id(one.rule));
    }
    Ok(())
}
