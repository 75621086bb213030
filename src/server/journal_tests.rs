#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use project::Project;
use value::{DAY, HOUR, Time};

use super::journal::{FILE, Journal, KEEP, Kept};

/// A project with one component, and a folder for its journal; gone afterwards.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> (Place, Project) {
        let path = std::env::temp_dir().join(format!("faultscope-journal-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(path.join("topology")).unwrap();
        fs::write(path.join("topology/estate.yaml"), "components:\n  - {id: order-db, type: database}\n").unwrap();
        let project = Project::load(&path).unwrap();
        (Place(path), project)
    }

    fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.data().join(FILE)).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A folder left behind in the temporary directory is no reason to fail.
        drop(fs::remove_dir_all(&self.0));
    }
}

const NOW: Time = Time(1_757_996_400_000);

/// A score of an instant, received then.
fn kept(time: Time) -> Kept {
    let line = format!(r#"{{"component":"order-db","origin":"m","received":"{time}","score":0.9,"time":"{time}"}}"#);
    Kept { received: time, time, component: None, line }
}

fn open(dir: &Path, project: &Project, now: Time) -> (Journal, Option<String>) {
    Journal::open(dir, project, now).unwrap_or_else(|error| panic!("{}", error.message))
}

#[test]
fn what_is_acknowledged_is_there_after_a_restart() {
    let (place, project) = Place::new("restart");
    let (mut journal, said) = open(&place.data(), &project, NOW);
    assert!(journal.is_empty() && said.is_none());
    journal.append(vec![kept(NOW.minus(HOUR)), kept(NOW)], NOW).unwrap();
    journal.append(vec![kept(NOW.plus(1))], NOW).unwrap();
    assert_eq!(place.text().lines().count(), 3);
    // Only one at a time.
    assert!(Journal::open(&place.data(), &project, NOW).err().is_some_and(|error| error.message.to_string().contains("another server")));
    drop(journal);
    let (journal, said) = open(&place.data(), &project, NOW);
    assert_eq!((journal.len(), said), (3, None));
    // Placed anew, under the topology of today.
    assert!(journal.kept().all(|kept| kept.component == project.estate.find("order-db")));
    assert_eq!(journal.between(NOW.minus(HOUR), NOW), format!("{}\n", kept(NOW).line));
}

#[test]
fn a_torn_line_is_cut_off() {
    let (place, project) = Place::new("torn");
    let whole = format!("{}\n", kept(NOW).line);
    for torn in ["{\"component\":\"order", "\0\0\0\0", "x"] {
        fs::create_dir_all(place.data()).unwrap();
        fs::write(place.data().join(FILE), format!("{whole}{torn}")).unwrap();
        let (mut journal, said) = open(&place.data(), &project, NOW);
        assert!(said.is_some_and(|said| said.contains(&format!("{} bytes", torn.len()))), "{torn}");
        assert_eq!((journal.len(), place.text()), (1, whole.clone()), "{torn}");
        // The next one begins its own line.
        journal.append(vec![kept(NOW)], NOW).unwrap();
        assert_eq!(place.text(), format!("{whole}{whole}"), "{torn}");
    }
}

#[test]
fn a_line_of_something_else_ends_the_start() {
    let (place, project) = Place::new("foreign");
    fs::create_dir_all(place.data()).unwrap();
    for (line, expected) in [("hello", "line 2 of"), (r#"{"component":"order-db","time":0,"origin":"m"}"#, "no numeric `score`")] {
        fs::write(place.data().join(FILE), format!("{}\n{line}\n", kept(NOW).line)).unwrap();
        let error = Journal::open(&place.data(), &project, NOW).unwrap_err();
        assert!(error.message.to_string().contains(expected), "{}", error.message);
        assert!(place.text().contains(line), "nothing is removed");
    }
}

#[test]
fn what_is_old_goes_and_the_rest_stays() {
    let (place, project) = Place::new("old");
    let (mut journal, _) = open(&place.data(), &project, NOW);
    let days = |n: i64| kept(NOW.plus(n * DAY));
    journal.append(vec![days(0), days(1), days(2)], NOW).unwrap();
    // A day before the first is too old.
    journal.append(vec![days(6)], NOW.plus(KEEP)).unwrap();
    assert_eq!((journal.len(), place.text().lines().count()), (4, 4));
    // Two are too old: not yet worth writing the file anew. Three are.
    journal.append(vec![days(8)], NOW.plus(KEEP + DAY + HOUR)).unwrap();
    assert_eq!((journal.len(), place.text().lines().count()), (3, 5));
    journal.append(vec![days(10)], NOW.plus(KEEP + 2 * DAY + HOUR)).unwrap();
    assert_eq!((journal.len(), place.text().lines().count()), (3, 3));
    assert!(!place.data().join(format!("{FILE}.new")).exists());
    // After it was written anew it goes on, and a start drops what is too old as well.
    journal.append(vec![days(11)], NOW.plus(KEEP + 3 * DAY)).unwrap();
    drop(journal);
    let (journal, _) = open(&place.data(), &project, NOW.plus(KEEP + 9 * DAY));
    assert_eq!((journal.len(), place.text().lines().count()), (2, 2));
}
