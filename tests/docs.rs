//! The commands of documents are run: each block marked `console`, in order, in a folder of its own for each document.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::root;

/// Runs every `$ command` and compares what it prints with the lines below it; `...` stands for any lines. A document shows no errors.
fn check(document: &str) {
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let mut dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs").join(document.replace(['/', '.'], "-"));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let mut commands = 0;
    for block in text.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        for step in block.split("$ ").skip(1) {
            let (command, expected) = step.split_once('\n').unwrap();
            commands += 1;
            if let Some(folder) = command.strip_prefix("cd ") {
                dir.push(folder);
                continue;
            }
            let found = run(command, &dir);
            let mut rest = found.as_str();
            for part in expected.split("...\n").filter(|part| !part.is_empty()) {
                let at = rest.find(part).unwrap_or_else(|| panic!("{document}: `{command}` prints\n{found}\nwithout\n{part}"));
                rest = &rest[at + part.len()..];
            }
        }
    }
    assert!(commands > 0, "{document} has no commands");
}

fn run(command: &str, dir: &Path) -> String {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_faultscope"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output =
        Command::new("sh").args(["-c", command]).current_dir(dir).env("PATH", path).env("LC_ALL", "C").env_remove("TZ").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{command}` fails: {said}{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[cfg(unix)]
fn a_first_diagnosis() {
    check("docs/first-diagnosis.md");
}

/// The example of a past case is read as it stands, and has every key but `rule`.
#[test]
fn the_example_of_a_case_is_one() {
    let text = std::fs::read_to_string(root().join("docs/authoring.md")).unwrap();
    let example = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).find(|block| block.starts_with("id: HIS-"));
    let mut sources = diag::Sources::default();
    let source = sources.add("case.yaml", example.unwrap());
    let (case, found) = knowledge::read_case(&sources, source);
    assert!(found.is_empty(), "{}", diag::render(&sources, &found, false, false));
    let (case, _) = case.unwrap();
    assert!(case.date.is_some() && case.notes.is_some() && case.root.is_some_and(|root| root.component.is_some() && root.kind.is_some()));
    assert_eq!((case.alerts.len(), case.logs.len(), case.metrics.len(), case.affected.len(), case.solutions.len()), (2, 2, 2, 3, 2));
}

/// Each kind of new project passes `check`, and its incident is explained by its rule.
#[test]
fn new_projects_work() {
    for from in ["empty", "kubernetes", "compose"] {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("init").join(from);
        let _ = std::fs::remove_dir_all(&dir);
        let dir = dir.display().to_string();
        let (code, out, err) = crate::common::faultscope(&["init", &dir, "--from", from]);
        assert_eq!(code, 0, "{out}{err}");
        let (code, out, _) = crate::common::faultscope(&["check", &dir]);
        assert_eq!(code, 0, "{from}: {out}");
        let (_, out, err) = crate::common::faultscope(&["diagnose", &format!("{dir}/incidents/first")]);
        assert!(out.contains("  db: no free") && out.contains("TOP-001") && !out.contains("without a component"), "{from}: {out}{err}");
        let (code, _, err) = crate::common::faultscope(&["init", &dir]);
        assert_eq!(code, 2);
        assert!(err.contains("F9008"), "{err}");
    }
}

#[test]
fn an_empty_folder_is_shown_the_way() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("init").join("nothing");
    std::fs::create_dir_all(&dir).unwrap();
    let (code, _, err) = crate::common::faultscope(&["check", dir.to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(err.contains("faultscope init"), "{err}");
}
