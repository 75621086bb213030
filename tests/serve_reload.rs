//! Files change under a running server, in every way in which tools change them. In the end the tree on disk is in use, or the last one
//! without errors; and an incident that has nothing to do with the change does not notice it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use project::Project;
use serde_json::{Value, json};

use crate::common::running::{ESTATE, Folder, Running, SOURCES, until};

/// A rule that explains the alert of these tests.
const MATCHING: &str = r#"TOP-001 "Out of connections" {
  given   db: database
  if      alert "ConnectionsHigh" on db
  then    impact dependents of db where type = service
  check   "Which service holds them"
  priority 90
}
"#;

/// One of many that match nothing.
fn other(id: usize) -> String {
    let above = 1_000 + id;
    format!(
        "TOP-{id} \"More than {above} connections\" {{\n  given   db: database\n  if      db.connections > {above}\n  then    impact dependents of db where type = service\n  check   \"Connections\"\n}}\n"
    )
}

/// Longer than the server waits for a tree to settle.
const SETTLED: Duration = Duration::from_millis(700);

struct Site {
    project: PathBuf,
    server: Running,
    folder: Folder,
}

impl Site {
    fn new(name: &str) -> Site {
        let folder = Folder::new(&format!("reload-{name}"));
        let project = folder.with("project", &[ESTATE, SOURCES, ("rules/db.rules", MATCHING)]);
        Site::on(project, folder)
    }

    /// A server with an incident that a rule explains.
    fn on(project: PathBuf, folder: Folder) -> Site {
        let server = Running::start(&project, &folder.0.join("data"), "127.0.0.1:0");
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let since = value::Time(i64::try_from(since).unwrap() - 60_000);
        let labels = json!({"alertname": "ConnectionsHigh", "component": "order-db", "severity": "critical"});
        // By webhook, so that it fires until it is resolved.
        let alerts = json!([{"status": "firing", "labels": labels, "annotations": {}, "startsAt": since}]);
        let webhook = json!({"version": "4", "status": "firing", "groupLabels": {}, "alerts": alerts});
        assert_eq!(server.post("/api/v1/ingest/alertmanager", &webhook).0, 200);
        let site = Site { project, server, folder };
        until("the rule explains it", || match site.server.incidents().first() {
            Some(one) if one["layer"] == "expert" => Ok(()),
            other => Err(format!("{other:?}")),
        });
        site
    }

    fn rule(&self, name: &str) -> PathBuf {
        self.project.join("rules").join(name)
    }

    fn state(&self) -> Value {
        self.server.get("/-/ready").1["reload"].clone()
    }

    /// Waits until answers come from the tree that is on disk.
    fn follows(&self) {
        let wanted = Project::load(&self.project).unwrap().digest();
        until("the tree on disk is in use", || {
            let (_, said) = self.server.get("/api/v1/diagnosis");
            if said["revision"] == wanted.as_str() {
                Ok(())
            } else {
                Err(format!("{} is, not {wanted}: {}", said["revision"], self.state()))
            }
        });
        assert_eq!(self.state()["refused"], Value::Null);
        self.steady();
    }

    /// The incident noticed nothing: it is open, and only ever was opened.
    fn steady(&self) {
        let incidents = self.server.incidents();
        let [incident] = incidents.as_slice() else { panic!("{incidents:?}") };
        let history: Vec<&str> = incident["history"].as_array().unwrap().iter().filter_map(|step| step["what"].as_str()).collect();
        assert_eq!((incident["status"].as_str().unwrap(), history), ("open", vec!["opened"]));
    }
}

#[test]
fn renamed_over() {
    let site = Site::new("rename");
    for round in 0..3 {
        fs::write(site.rule("db.rules.new"), format!("{MATCHING}\n{}", other(100 + round))).unwrap();
        fs::rename(site.rule("db.rules.new"), site.rule("db.rules")).unwrap();
        site.follows();
    }
}

/// An editor that takes its time: what is half written is refused, or not even looked at, and nothing else happens.
#[test]
fn written_in_pieces() {
    let site = Site::new("pieces");
    let active = site.state()["active"].clone();
    let text = other(100);
    let (half, rest) = text.split_at(text.len() / 2);
    fs::write(site.rule("more.rules"), half).unwrap();
    sleep(SETTLED);
    let state = site.state();
    assert_eq!(state["active"], active, "{state}");
    site.steady();
    let mut file = fs::OpenOptions::new().append(true).open(site.rule("more.rules")).unwrap();
    std::io::Write::write_all(&mut file, rest.as_bytes()).unwrap();
    site.follows();
}

#[test]
fn checked_out() {
    let site = Site::new("checkout");
    let git = |arguments: &[&str]| {
        let set = ["-c", "user.name=li", "-c", "user.email=li@example.com", "-c", "core.hooksPath=/dev/null"];
        let output = Command::new("git").current_dir(&site.project).args(set).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !git(&["init", "-q", "-b", "few"]) {
        eprintln!("skipped: there is no git");
        return;
    }
    assert!(git(&["add", "."]) && git(&["commit", "-qm", "few"]) && git(&["checkout", "-qb", "many"]));
    for id in 100..500 {
        fs::write(site.rule(&format!("top-{id}.rules")), other(id)).unwrap();
    }
    assert!(git(&["add", "."]) && git(&["commit", "-qm", "many"]));
    site.follows();
    for branch in ["few", "many", "few"] {
        assert!(git(&["checkout", "-q", branch]));
        site.follows();
    }
    // One after the other, faster than any of them settles.
    for branch in ["many", "few", "many"] {
        assert!(git(&["checkout", "-q", branch]));
    }
    site.follows();
}

/// A mounted config map: the files are links into `..data`, which is a link itself, and that one is swapped.
#[test]
#[cfg(unix)]
fn a_config_map_is_swapped() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new("reload-configmap");
    let project = folder.with("project", &[ESTATE, SOURCES]);
    let rules = project.join("rules");
    fs::create_dir_all(&rules).unwrap();
    let publish = |version: usize, text: &str| {
        let files = rules.join(format!("..2025_{version}"));
        fs::create_dir_all(&files).unwrap();
        fs::write(files.join("db.rules"), text).unwrap();
        symlink(files.file_name().unwrap(), rules.join("..data_tmp")).unwrap();
        fs::rename(rules.join("..data_tmp"), rules.join("..data")).unwrap();
    };
    publish(0, MATCHING);
    symlink(Path::new("..data/db.rules"), rules.join("db.rules")).unwrap();
    let site = Site::on(project.clone(), folder);
    for version in 1..4 {
        publish(version, &format!("{MATCHING}\n{}", other(100 + version)));
        fs::remove_dir_all(rules.join(format!("..2025_{}", version - 1))).unwrap();
        site.follows();
    }
}

#[test]
fn a_broken_tree_is_not_used_until_it_is_mended() {
    let site = Site::new("broken");
    let active = site.state()["active"].clone();
    fs::write(site.rule("broken.rules"), "TOP-999 \"No end\" {\n  given db: databse\n").unwrap();
    let (status, said) = site.server.post("/-/reload", &json!({}));
    assert_eq!(status, 500, "{said}");
    assert!(said.to_string().contains("broken.rules"), "{said}");
    let state = site.state();
    assert_eq!((&state["active"], &state["errors"]), (&active, &json!(0)), "{state}");
    assert!(state["refused"]["errors"].as_u64().unwrap() > 0 && state["refused"]["first"][0].as_str().unwrap().contains("broken.rules"));
    assert_eq!(site.server.get("/-/ready").0, 200, "the rules in use work");
    let warnings = site.server.diagnosis()["warnings"].to_string();
    assert!(warnings.contains("is not used"), "every answer says so: {warnings}");
    site.steady();
    // The same signals, the same answer: also of what comes now.
    let labels = json!({"alertname": "ConnectionsHigh", "component": "order-db", "severity": "critical", "replica": "2"});
    assert_eq!(site.server.post("/api/v2/alerts", &json!([{"labels": labels}])).0, 200);
    until("signals are still taken", || match site.server.count("alerts", "received") {
        2 => Ok(()),
        other => Err(other.to_string()),
    });
    fs::write(site.rule("broken.rules"), other(100)).unwrap();
    site.follows();
    let (status, said) = site.server.post("/-/reload", &json!({}));
    assert_eq!((status, &said["reload"]["refused"]), (200, &Value::Null));
}

#[test]
#[cfg(unix)]
fn asked_by_a_signal() {
    let site = Site::new("signal");
    fs::write(site.rule("more.rules"), other(100)).unwrap();
    let asked = Command::new("kill").args(["-HUP", &site.server.pid().to_string()]).status().unwrap();
    assert!(asked.success());
    site.follows();
    // Nothing changes any more: a server that has nothing to do does nothing.
    let busy = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", site.server.pid())).ok()?;
        let ticks: Vec<u64> = stat.rsplit(')').next()?.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse().ok()).collect();
        Some(ticks.iter().sum::<u64>())
    };
    let before = busy();
    sleep(Duration::from_secs(3));
    let Some((before, after)) = before.zip(busy()) else { return };
    assert!(after - before < 100, "{} hundredths of a second in three seconds", after - before);
}

/// A server that starts with errors says that it is not ready, works with what has none, and is ready once they are gone.
#[test]
fn a_start_with_errors_is_not_healthy() {
    let folder = Folder::new("reload-start");
    let project = folder.with("project", &[ESTATE, SOURCES, ("rules/db.rules", MATCHING), ("rules/broken.rules", "TOP-999 {\n")]);
    let site = Site::on(project, folder);
    let (status, said) = site.server.get("/-/ready");
    let reason = said["reason"].as_str().unwrap_or_default();
    assert!(status == 503 && reason.starts_with("the rules in use have ") && reason.contains(": rules/broken.rules:"), "{said}");
    assert!(!reason.contains(" 1 errors"), "{reason}");
    fs::remove_file(site.rule("broken.rules")).unwrap();
    site.follows();
    assert_eq!(site.server.get("/-/ready").0, 200);
    // The folder of the site is gone only now.
    assert!(site.folder.0.exists());
}
