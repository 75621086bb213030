//! Scores of a data folder from before they were in the journal of signals: taken over once, at the start.

use std::path::Path;

use serde_json::Value;

use diag::{Code, Diagnostic, Text, text};
use ingest::Protocol;
use live::{Journal, Retention};
use project::Project;
use signal::{Origin, Resolver, ScoreFrame, score_of};
use value::{Duration, Time};

/// Where they were, and what the file is called afterwards.
const FILE: &str = "scores.ndjson";
const TAKEN: &str = "scores.ndjson.old";

/// The file was never larger.
const MAX_FILE: u64 = 64 << 20;

/// Requests that are written at once.
const TOGETHER: usize = 1_000;

/// Puts the scores of an old file that are younger than `age` into the journal, as of when they were received, and says so. If a crash comes between, the next start
/// does it again: a score that is there twice counts once.
///
/// # Errors
/// `JOURNAL`: a line that cannot be read, because accepted scores must not be dropped silently; a folder that cannot be used.
/// `UNREADABLE`, `TOO_LARGE`: not a file that a server wrote.
pub fn adopt(data: &Path, project: &Project, (retention, age): (Retention, Duration), now: Time) -> Result<Option<Text>, Box<Diagnostic>> {
    let path = data.join(FILE);
    let shown = path.display().to_string();
    let Some(bytes) = files::try_read(&path, &shown, MAX_FILE)? else { return Ok(None) };
    let requests = requests(&bytes, &shown, project)?;
    let oldest = now.minus(age);
    let (young, old): (Vec<&Sent>, Vec<&Sent>) = requests.iter().partition(|sent| sent.received >= oldest);
    let failed = |error: std::io::Error| Box::new(Diagnostic::nowhere(Code::JOURNAL, text!("cannot write the journal: {}", error)));
    if !young.is_empty() {
        let (mut journal, _) = Journal::open(&data.join("journal"), retention, |_| true, |_| {})?;
        for part in young.chunks(TOGETHER) {
            let entries = part.iter().map(|sent| (sent.received, Protocol::Scores, sent.lines.as_slice()));
            journal.append(entries).map_err(failed)?;
        }
    }
    std::fs::rename(&path, data.join(TAKEN)).and_then(|()| files::sync_folder(data)).map_err(failed)?;
    // Nobody locks it any more; where it stays it does no harm.
    let _ = std::fs::remove_file(data.join("scores.lock"));
    let count = |list: &[&Sent]| list.iter().map(|sent| sent.count).sum::<usize>();
    let said = text!(
        "{} scores of `{}` are in the journal now, {} were older than it goes back; the file is now `{}`",
        count(&young),
        shown,
        count(&old),
        TAKEN
    );
    Ok((!requests.is_empty()).then_some(said))
}

/// Lines that were received together.
struct Sent {
    received: Time,
    lines: Vec<u8>,
    count: usize,
}

fn requests(bytes: &[u8], shown: &str, project: &Project) -> Result<Vec<Sent>, Box<Diagnostic>> {
    let placer = Resolver::new(&project.placement, &project.estate);
    let mut requests: Vec<Sent> = Vec::new();
    // A crash may have left half a line, which was never acknowledged.
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    for (index, line) in lines.enumerate().filter(|(_, line)| line.len() > 1) {
        let unreadable = |why: Text| {
            let message = text!("cannot read line {} of `{}`: {}", index + 1, shown, why);
            Box::new(Diagnostic::nowhere(Code::JOURNAL, message).help(text!("another program wrote to this file: fix or remove the line")))
        };
        let written: Value = serde_json::from_slice(line).map_err(|error| unreadable(error.to_string().into()))?;
        let origin = Origin { file: FILE.to_owned(), index };
        let score = score_of(&written, origin, &ScoreFrame::default(), &placer).map_err(|refusal| unreadable(refusal.reason))?;
        let received = written.get("received").and_then(Value::as_str).and_then(Time::parse).unwrap_or(score.time);
        match requests.last_mut().filter(|sent| sent.received == received) {
            Some(sent) => {
                sent.lines.extend(line);
                sent.count += 1;
            }
            None => requests.push(Sent { received, lines: line.to_vec(), count: 1 }),
        }
    }
    Ok(requests)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use live::{Found, Journal, Retention};
    use project::Project;
    use value::{HOUR, MINUTE, Time};

    use super::{FILE, TAKEN, adopt};

    const NOW: Time = Time(1_757_996_400_000);

    fn line(received: Time) -> String {
        format!("{{\"component\":\"order-db\",\"origin\":\"m\",\"received\":\"{received}\",\"score\":0.9,\"time\":\"{received}\"}}\n")
    }

    #[test]
    fn an_old_file_is_taken_over_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("topology")).unwrap();
        fs::write(dir.path().join("topology/estate.yaml"), "components:\n  - {id: order-db, type: database}\n").unwrap();
        let project = Project::load(dir.path()).unwrap();
        let data = dir.path().join("data");
        fs::create_dir_all(&data).unwrap();
        let path = data.join(FILE);
        let adopt = || adopt(&data, &project, (Retention::default(), 24 * HOUR), NOW);
        assert!(adopt().unwrap().is_none(), "there is none");
        // What is no score ends the start, and stays.
        for (wrong, expected) in
            [("hello\n", "line 2 of"), ("{\"component\":\"order-db\",\"time\":0,\"origin\":\"m\"}\n", "no numeric `score`")]
        {
            let text = format!("{}{wrong}", line(NOW));
            fs::write(&path, &text).unwrap();
            let error = adopt().unwrap_err();
            assert!(error.message.to_string().contains(expected), "{}", error.message);
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        // Too old; two of one request; one more; and half a line.
        let (before, after) = (NOW.minus(HOUR), NOW.minus(MINUTE));
        let text = [line(NOW.minus(25 * HOUR)), line(before), line(before), line(after), "{\"compo".to_owned()].concat();
        fs::write(&path, &text).unwrap();
        let said = adopt().unwrap().unwrap().to_string();
        assert!(said.starts_with("3 scores of ") && said.contains(" 1 were older ") && said.contains(TAKEN), "{said}");
        assert_eq!(fs::read_to_string(data.join(TAKEN)).unwrap(), text);
        assert!(adopt().unwrap().is_none(), "it is taken over once");
        let mut found = Vec::new();
        Journal::open(&data.join("journal"), Retention::default(), |_| false, |one| found.push(one)).unwrap();
        let found: Vec<(Time, String)> = found
            .into_iter()
            .map(|one| match one {
                Found::Entry(entry) => (entry.received, String::from_utf8(entry.body).unwrap()),
                Found::Passed(head) => panic!("{head:?} is passed"),
            })
            .collect();
        assert_eq!(found, [(before, line(before).repeat(2)), (after, line(after))]);
    }
}
