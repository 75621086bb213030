//! Files change under a running server, in every way in which tools change them. In the end the tree on disk is in use, or the last one
//! without errors; and an incident that has nothing to do with the change does not notice it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use project::Project;
use serde_json::{Value, json};

use crate::anomaly::csv;
use crate::common::faultscope;
use crate::common::running::{ESTATE, Folder, Running, SOURCES, said_in, until};
use crate::serve::{self, Server};

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
    let paths = ["impact?component=order-db", "incidents", "incidents?format=text", "rules", "cases", "estate", "signals", "coverage"];
    for path in paths.map(|path| format!("/api/v1/{path}")) {
        let warning = site.server.warning(&path);
        assert!(warning.starts_with("299 ") && warning.contains("is not used"), "{path}: {warning}");
    }
    let (_, said) = site.server.get("/api/v1/impact?component=order-db&lang=zh");
    assert!(said["warnings"].to_string().contains("未启用"), "{said}");
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
    assert_eq!(site.server.warning("/api/v1/rules"), "");
}

/// Whoever reads the log learns of each change once, also of trees that are no project at all.
#[test]
fn a_tree_that_is_refused_is_in_the_log() {
    let site = Site::new("log");
    let log = said_in(&site.folder.0.join("data"));
    let said = |what: &str| fs::read_to_string(&log).unwrap().lines().filter(|line| line.contains(what)).count();
    fs::write(site.rule("broken.rules"), "TOP-002 \"bro\n").unwrap();
    site.refuses("broken.rules");
    site.refuses("broken.rules");
    assert_eq!(said("broken.rules"), 1);
    fs::write(site.rule("broken.rules"), "TOP-003 \"worse\n").unwrap();
    site.refuses("broken.rules");
    assert_eq!(said("broken.rules"), 2, "a change is told");
    let (project, away) = (&site.project, site.folder.0.join("away"));
    fs::rename(project, &away).unwrap();
    site.refuses("no such folder");
    fs::create_dir(project).unwrap();
    site.refuses("is not a project");
    assert_eq!((said("no such folder"), said("is not a project")), (1, 1));
    fs::remove_dir(project).unwrap();
    fs::rename(&away, project).unwrap();
    assert_eq!(said("is in use"), 0);
    fs::remove_file(site.rule("broken.rules")).unwrap();
    site.accepts();
    assert_eq!(said("is in use"), 1);
}

impl Site {
    /// The tree on disk is not used, for this reason; nothing else happens.
    fn refuses(&self, reason: &str) {
        let active = self.state()["active"].clone();
        let (status, said) = self.server.post("/-/reload", &json!({}));
        assert!(status == 500 && said.to_string().contains(reason), "{reason}: {status} {said}");
        let state = self.state();
        assert!(state["active"] == active && state["refused"]["first"].to_string().contains(reason), "{reason}: {state}");
        self.steady();
    }

    /// What was in use is on disk again.
    fn accepts(&self) {
        let (status, said) = self.server.post("/-/reload", &json!({}));
        assert_eq!(status, 200, "{said}");
        self.follows();
    }
}

/// A folder is moved away, emptied, or on a disk that is gone: that is no project without rules.
#[test]
fn a_folder_that_vanishes_is_not_an_empty_one() {
    let site = Site::new("vanished");
    let away = site.folder.0.join("away");
    for folder in ["rules", "topology"] {
        let path = site.project.join(folder);
        fs::rename(&path, &away).unwrap();
        site.refuses(&format!("`{folder}/`"));
        fs::create_dir(&path).unwrap();
        site.refuses("accept_missing");
        fs::remove_dir(&path).unwrap();
        fs::rename(&away, &path).unwrap();
        site.accepts();
    }
    // One file of several may go at any time.
    fs::write(site.rule("more.rules"), other(100)).unwrap();
    site.follows();
    fs::remove_file(site.rule("more.rules")).unwrap();
    site.follows();
    // Somebody wants it so.
    fs::remove_dir_all(site.project.join("rules")).unwrap();
    site.refuses("`rules/`");
    let (status, said) = site.server.post("/-/reload?accept_missing=true", &json!({}));
    assert_eq!((status, &said["reload"]["refused"]), (200, &Value::Null), "{said}");
    let (status, said) = site.server.post("/-/reload", &json!({}));
    assert_eq!((status, &said["reload"]["refused"]), (200, &Value::Null), "it stays so: {said}");
    assert_eq!(site.server.post("/-/reload?accept_missing=yes", &json!({})).0, 400);
}

/// Links whose end is gone, of a whole folder and of a part of it.
#[test]
#[cfg(unix)]
fn a_link_to_nothing_is_an_error() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new("reload-links");
    let project = folder.with("project", &[ESTATE, SOURCES]);
    let rules = folder.with("mounted", &[("db.rules", MATCHING)]);
    symlink(&rules, project.join("rules")).unwrap();
    let site = Site::on(project, folder);
    let away = site.folder.0.join("away");
    fs::rename(&rules, &away).unwrap();
    site.refuses("rules");
    fs::rename(&away, &rules).unwrap();
    site.accepts();
    symlink(rules.join("nowhere"), rules.join("team")).unwrap();
    site.refuses("is a link to nothing");
    fs::remove_file(rules.join("team")).unwrap();
    site.accepts();
    symlink(rules.join("nowhere"), rules.join("team")).unwrap();
    let found = Project::load(&site.project).unwrap().diagnostics;
    assert!(found.iter().any(|found| found.is_error() && found.message.to_string().contains("is a link to nothing")), "{found:?}");
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

/// Models come and go like rules; with one that cannot be read, those in use stay.
#[test]
fn models_are_taken_over_as_a_whole() {
    let folder = serve::Folder::project("models", "");
    let (models, usual) = (folder.path().join("models"), folder.path().join("usual.csv"));
    fs::create_dir(&models).unwrap();
    fs::write(&usual, csv(600, &[])).unwrap();
    let fit = |name: &str| {
        let (code, out, err) =
            faultscope(&["anomaly", "fit", usual.to_str().unwrap(), "-o", models.join(name).with_extension("json").to_str().unwrap()]);
        assert_eq!(code, 0, "{out}{err}");
    };
    fit("first");
    let server = Server::start_with(folder.path(), &folder, &["--listen", "127.0.0.1:0", "--models", models.to_str().unwrap()]);
    let state = || {
        let ready: Value = serde_json::from_str(&server.ask("GET", "/-/ready", None).1).unwrap();
        ready["models"].clone()
    };
    let predicts = |model: &str| server.ask("GET", &format!("/api/v1/predict?model={model}&cpu=50"), None).0;
    assert_eq!((state()["names"].clone(), predicts("first"), predicts("second")), (json!(["first"]), 200, 404));
    fit("second");
    until("the second is in use", || if predicts("second") == 200 { Ok(()) } else { Err(state().to_string()) });
    let sound = fs::read(models.join("second.json")).unwrap();
    fs::write(models.join("second.json"), &sound[..sound.len() / 2]).unwrap();
    fit("third");
    let (status, said) = server.ask("POST", "/-/reload", None);
    assert!(status == 500 && said.contains("second.json"), "{status} {said}");
    assert!(state()["refused"].to_string().contains("second.json"), "{}", state());
    assert_eq!((predicts("first"), predicts("second"), predicts("third")), (200, 200, 404));
    fs::write(models.join("second.json"), sound).unwrap();
    assert_eq!(server.ask("POST", "/-/reload", None).0, 200);
    assert_eq!((state()["names"].clone(), state()["refused"].clone()), (json!(["first", "second", "third"]), json!([])));
    fs::remove_file(models.join("first.json")).unwrap();
    assert_eq!((server.ask("POST", "/-/reload", None).0, predicts("first")), (200, 404));
    // A disk that is not there now.
    fs::rename(&models, folder.path().join("away")).unwrap();
    assert_eq!((server.ask("POST", "/-/reload", None).0, predicts("second")), (500, 200));
    fs::create_dir(&models).unwrap();
    assert_eq!((server.ask("POST", "/-/reload", None).0, predicts("second")), (500, 200));
}
