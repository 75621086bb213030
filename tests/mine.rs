//! Learning from recordings: what was planted is found, what is random is not, and nothing is proposed that is not a valid draft.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{faultscope, root, shared, snapshot};
use compile::plan::Status;
use compile::{Inputs, Scripts, compile};
use diag::Sources;
use language::parse_file;
use mine::{Report, Settings, mine};
use project::{Project, labelled};

/// Minutes of each recording, and from which on something is wrong.
const LENGTH: usize = 40;
const ONSET: usize = 31;

/// One recording: its truth, the alerts (name, component) from the onset on, and which database is full of connections.
struct Story {
    name: &'static str,
    truth: &'static str,
    alerts: &'static [(&'static str, &'static str)],
    full: Option<(&'static str, usize)>,
}

const POOL_A: &str = r#"{"root_causes":[{"component":"db-a","fault":"pool exhausted"}]}"#;
const POOL_B: &str = r#"{"root_causes":[{"component":"db-b","fault":"pool exhausted"}]}"#;
const RELEASE: &str = r#"{"root_causes":[{"component":"shop-a","fault":"bad release"}]}"#;
const HEALTHY: &str = r#"{"no_fault":true}"#;

/// Planted: connections of a database that stray together with `Timeouts` above it are its exhausted pool, and neither is alone.
/// `Restarts` of a service is its bad release. `Noise` fires in most of them and means nothing.
const STORIES: &[Story] = &[
    Story { name: "01", truth: POOL_A, alerts: &[("Timeouts", "shop-a"), ("Noise", "db-a")], full: Some(("db-a", 91)) },
    Story { name: "02", truth: POOL_B, alerts: &[("Timeouts", "shop-b"), ("Noise", "db-b")], full: Some(("db-b", 92)) },
    Story { name: "03", truth: POOL_A, alerts: &[("Timeouts", "shop-a"), ("Noise", "db-a")], full: Some(("db-a", 93)) },
    Story { name: "04", truth: POOL_B, alerts: &[("Timeouts", "shop-b")], full: Some(("db-b", 94)) },
    Story { name: "05", truth: HEALTHY, alerts: &[("Noise", "db-a")], full: Some(("db-a", 95)) },
    Story { name: "06", truth: HEALTHY, alerts: &[("Noise", "db-b")], full: Some(("db-b", 96)) },
    Story { name: "07", truth: RELEASE, alerts: &[("Timeouts", "shop-a"), ("Restarts", "shop-a"), ("Noise", "db-a")], full: None },
    Story { name: "08", truth: RELEASE, alerts: &[("Timeouts", "shop-a"), ("Restarts", "shop-a"), ("Noise", "db-b")], full: None },
    Story { name: "09", truth: RELEASE, alerts: &[("Timeouts", "shop-a"), ("Restarts", "shop-a"), ("Noise", "db-a")], full: None },
];

/// Names the service where it was the database: in conflict with what is learned.
const OLD_RULE: &str = r#"TOP-007 "A service times out" {
  given  s: service
  if     alert "Timeouts" on s and not alert "Restarts" on s
  then   impact dependents of s
  fault  "Slow service" at s
}
"#;

const ESTATE: &str = r"components:
  - {id: shop-a, type: service}
  - {id: shop-b, type: service}
  - {id: db-a, type: database}
  - {id: db-b, type: database}
relations:
  - {from: shop-a, kind: depends_on, to: db-a}
  - {from: shop-b, kind: depends_on, to: db-b}
";

const SOURCES: &str = "placement:\n  - {label: component}\n";

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// 2025-09-01T10:00:00Z.
const START: usize = 1_756_720_800;

fn record(dir: &Path, story: &Story) {
    let mut alerts = Vec::new();
    for (name, component) in story.alerts {
        let at = format!("2025-09-01T10:{ONSET}:00Z");
        alerts.push(format!(
            r#"{{"labels":{{"alertname":"{name}","component":"{component}","severity":"warning"}},"annotations":{{}},"startsAt":"{at}","endsAt":"0001-01-01T00:00:00Z","status":"firing"}}"#
        ));
    }
    write(&dir.join("alerts.json"), &format!("[{}]", alerts.join(",")));
    let mut series = Vec::new();
    for db in ["db-a", "db-b"] {
        let mut points = String::new();
        for minute in 0..=LENGTH {
            let calm = 20 + minute * 7 % 5;
            let value = story.full.filter(|(full, _)| *full == db && minute >= ONSET).map_or(calm, |(_, high)| high);
            let comma = if minute == 0 { "" } else { "," };
            write!(points, r#"{comma}[{},"{value}"]"#, START + minute * 60).unwrap();
        }
        series.push(format!(r#"{{"metric":{{"__name__":"connections","component":"{db}"}},"values":[{points}]}}"#));
    }
    write(
        &dir.join("metrics.json"),
        &format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{}]}}}}"#, series.join(",")),
    );
}

/// A project of its own in the temporary folder, removed at the end.
pub struct Planted(PathBuf);

impl Planted {
    pub fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("faultscope-mine-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        write(&dir.join("rules/old.rules"), OLD_RULE);
        write(&dir.join("topology/estate.yaml"), ESTATE);
        write(&dir.join("topology/sources.yaml"), SOURCES);
        for story in STORIES {
            let bundle = dir.join("incidents").join(story.name);
            record(&bundle, story);
            write(&bundle.join("expected.json"), story.truth);
        }
        Planted(dir)
    }

    pub fn path(&self, inside: &str) -> String {
        self.0.join(inside).to_string_lossy().into_owned()
    }

    /// `faultscope mine`, over its incidents.
    fn run(&self, more: &[&str]) -> (i32, String, String) {
        let (project, incidents) = (self.path(""), self.path("incidents"));
        let mut args = vec!["mine", &incidents, "--project", &project];
        args.extend(more);
        faultscope(&args)
    }

    fn report(&self, settings: Settings) -> Report {
        let project = Project::load(&self.0).unwrap();
        mine(&project, &labelled(&project, &[self.0.join("incidents")]), settings)
    }
}

impl Drop for Planted {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_is_planted_is_found_and_noise_is_not() {
    let planted = Planted::new("found");
    let report = planted.report(Settings::default());
    assert_eq!((report.incidents, report.healthy, report.skipped.len()), (9, 2, 0), "{:?}", report.skipped);
    let pool = report.rules.iter().find(|rule| rule.fault == "pool exhausted").unwrap_or_else(|| panic!("{report:#?}"));
    assert!(pool.id.starts_with("MET-"), "{}", pool.id);
    // The middle between 24, the most of a quiet database, and 91, the least of a full one.
    assert!(pool.conditions.iter().any(|c| c == "c.connections > 58"), "{:?}", pool.conditions);
    assert!(pool.conditions.iter().any(|c| c.contains("Timeouts")), "{:?}", pool.conditions);
    assert_eq!(pool.evidence.shown_by, ["incidents/01", "incidents/02", "incidents/03", "incidents/04"]);
    assert!(pool.evidence.counter_examples.is_empty(), "{:?}", pool.evidence);
    assert!((pool.evidence.support - 4.0 / 9.0).abs() < 1e-12 && (pool.evidence.confidence - 1.0).abs() < 1e-12);
    assert!((pool.evidence.lift - 9.0 / 4.0).abs() < 1e-12);
    let conflict = pool.overlaps.iter().find(|one| one.rule == "TOP-007").unwrap();
    assert_eq!((conflict.stand, conflict.incidents.len()), (mine::Stand::Disagrees, 4));
    let release = report.rules.iter().find(|rule| rule.fault == "bad release").unwrap();
    assert_eq!((release.id.as_str(), release.conditions.as_slice()), ("TOP-008", &[r#"alert "Restarts" on c"#.to_owned()][..]));
    let tree = report.tree.as_ref().unwrap_or_else(|| panic!("{:?}", report.dropped));
    assert!(tree.right.len() >= 7 && tree.by_chance == 4, "{tree:?}");
    for text in report.rules.iter().map(|rule| &rule.text).chain([&tree.text]) {
        assert!(!text.contains("Noise"), "{text}");
    }
}

/// What people read.
#[test]
fn the_report_reads_well() {
    let planted = Planted::new("reads");
    let runs: [(&str, &[&str]); 3] = [("text", &[]), ("markdown", &["--format", "markdown"]), ("few", &["--min-support", "5"])];
    for (name, args) in runs {
        let (code, out, err) = planted.run(args);
        snapshot("mine", name, &format!("$ faultscope mine {}\n{out}{err}exit {code}\n", args.join(" ")));
    }
}

#[test]
fn two_runs_write_the_same_bytes() {
    let planted = Planted::new("same");
    let (code, first, err) = planted.run(&["--format", "json"]);
    assert_eq!(code, 0, "{err}");
    let (_, again, _) = planted.run(&["--format", "json"]);
    assert_eq!(first, again);
}

#[test]
fn nothing_is_written_unasked_and_nothing_overwritten() {
    let planted = Planted::new("written");
    planted.run(&[]);
    let into = planted.path("rules/mined");
    assert!(!Path::new(&into).exists());
    let (code, _, err) = planted.run(&["-o", &into]);
    assert_eq!(code, 0, "{err}");
    let mut names: Vec<String> = fs::read_dir(&into).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, ["MET-001.rules", "PROPOSAL.md", "TOP-008.rules", "TREE-001.rules"]);
    let project = Project::load(&planted.0).unwrap();
    assert!(project.diagnostics.is_empty(), "{:?}", project.diagnostics);
    assert_eq!((project.plan.rules["MET-001"].status, project.plan.trees["TREE-001"].status), (Status::Draft, Status::Draft));
    // What was proposed is there now: it is not proposed again under another name.
    let again = planted.report(Settings::default());
    assert!(again.is_empty() && again.covered.len() == 2, "{again:#?}");
    fs::remove_dir_all(&into).unwrap();
    write(&Path::new(&into).join("MET-001.rules"), "# mine\n");
    let (code, _, err) = planted.run(&["-o", &into]);
    assert!(code == 2 && err.contains("already exists"), "{code} {err}");
    assert_eq!(fs::read_dir(&into).unwrap().count(), 1, "nothing is written by halves");
    let (code, _, err) = planted.run(&["-o", &into, "--force"]);
    assert_eq!(code, 0, "{err}");
}

#[test]
fn the_journal_labels_recordings_too() {
    let planted = Planted::new("journal");
    for name in ["01", "05"] {
        fs::remove_file(planted.0.join("incidents").join(name).join("expected.json")).unwrap();
    }
    let line = |bundle: &str, verdict: &str, root: &str| {
        format!(
            r#"{{"time":"2025-09-02T10:00:00Z","bundle":"{bundle}","verdict":"{verdict}","answer":null,"root":{root},"by":"anna","note":""}}"#
        )
    };
    let root = r#"{"component":"db-a","fault":"pool exhausted"}"#;
    let lines =
        [line("incidents/01", "corrected", root), line("incidents/05", "no_fault", "null"), line("incidents/99", "corrected", root)];
    write(&planted.0.join("feedback.ndjson"), &lines.join("\n"));
    let report = planted.report(Settings::default());
    assert_eq!((report.incidents, report.healthy), (9, 2), "{report:#?}");
    assert!(report.skipped.iter().any(|one| one.what == "incidents/99"), "{:?}", report.skipped);
    assert!(report.rules.iter().any(|rule| rule.evidence.shown_by.contains(&"incidents/01".to_owned())));
}

/// Parses and compiles alone in the project, as a draft, without an error.
fn is_valid(project: &Project, id: &str, text: &str) {
    let mut sources = Sources::default();
    let source = sources.add("draft.rules", text);
    let (file, mut found) = parse_file(&sources, source);
    let inputs = Inputs { sources: &sources, estate: &project.estate, files: &[file], scripts: project.scripts.functions(), cases: None };
    let (plan, more) = compile(inputs);
    found.extend(more);
    assert!(found.iter().all(|d| !d.is_error()), "{found:?}\n{text}");
    let status = plan.rules.get(id).map(|rule| rule.status).or_else(|| plan.trees.get(id).map(|tree| tree.status));
    assert_eq!(status, Some(Status::Draft), "{id}\n{text}");
}

#[test]
fn every_proposal_is_a_valid_draft() {
    let project = Project::load(&root()).unwrap();
    let own = vec![root().join("cases"), root().join("tests/incidents")];
    all_valid(&project, &own, &[(1, 0.0), (2, 0.5)]);
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn every_proposal_of_public_incidents_is_a_valid_draft() {
    let dir = shared("data/bundles");
    all_valid(&Project::load(&root()).unwrap(), &[dir.join("nezha-online-boutique"), dir.join("petshop")], &[(3, 0.5)]);
}

/// Mines the folders with each pair of least support and confidence.
fn all_valid(project: &Project, dirs: &[PathBuf], settings: &[(usize, f64)]) {
    let collected = labelled(project, dirs);
    let mut proposed = 0;
    for (min_support, min_confidence) in settings.iter().copied() {
        let report = mine(project, &collected, Settings { min_support, min_confidence });
        for rule in &report.rules {
            is_valid(project, &rule.id, &rule.text);
            assert!(rule.evidence.shown_by.len() >= min_support && rule.evidence.confidence >= min_confidence, "{rule:?}");
            proposed += 1;
        }
        if let Some(tree) = &report.tree {
            is_valid(project, &tree.id, &tree.text);
        }
        let invalid: Vec<_> = report.dropped.iter().filter(|one| one.why.contains("not a valid")).collect();
        assert!(invalid.is_empty(), "{invalid:?}");
    }
    assert!(proposed > 0);
}
