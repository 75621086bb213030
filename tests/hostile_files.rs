//! Files that would keep a command waiting, fill its memory, or carry a secret into its messages.
#![cfg(unix)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{faultscope, root};
use crate::mine::Planted;

/// A command that takes longer waits for something that never comes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A folder of its own for each case.
fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile-files").join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A named pipe that nobody writes to.
fn pipe(path: &Path) -> String {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    path.display().to_string()
}

/// The exit code and all that is said. A command that waits is ended, and the test with it.
fn run(args: &[&str], stdin: Stdio) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faultscope"));
    command.args(args).current_dir(root()).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{args:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap_or(-1), said)
}

/// The command fails and says this.
fn fails(args: &[&str], expected: &[&str]) -> String {
    let (code, said) = run(args, Stdio::null());
    assert_eq!(code, 2, "{args:?}: {said}");
    for text in expected {
        assert!(said.contains(text), "{args:?}: `{text}` is not said:\n{said}");
    }
    said
}

// Secrets.

/// Every secret is `hunter2`, or `hun` and `ter2` where a character is between them.
const SOURCES: &str = "scorers:
  - {name: a, url: 'http://127.0.0.1:1/x?token=hunter2'}
  - {name: b, url: 'ftp://bob:hunter2@127.0.0.1:1/x?key=hunter2'}
  - {name: c, url: 'http:/bob:hunter2@127.0.0.1:1/x'}
  - {name: d, url: 'ftp://bob:hun/ter2@127.0.0.1:1/x'}
  - {name: e, url: 'ftp://bob:hun#ter2@127.0.0.1:1/x'}
  - {name: f, url: 'http://bob:hun?ter2@127.0.0.1:1/x'}
  - {name: g, url: 'http://127.0.0.1:1/', headers: {authorization: [hunter2]}}
  - {name: h, url: 'http://127.0.0.1:1/', headers: {authorization: {Bearer: hunter2}}}
  - {name: i, url: 'http://127.0.0.1:1/', headers: {authorization: 'Bearer hun,ter2'}}
  - name: j
    url: http://bob:hun/ter2@127.0.0.1:1/
    headers:
      authorization: |
        Bearer hunter2
  - name: k
    url: http://127.0.0.1:1/
    headers:
      authorization:
        - hunter2
      cookie:
        hunter2
";

#[test]
fn secrets_in_quoted_lines_are_hidden() {
    let dir = folder("secrets");
    write(&dir.join("topology/sources.yaml"), SOURCES);
    for format in ["text", "json"] {
        let (code, out, err) = faultscope(&["check", dir.to_str().unwrap(), "--format", format]);
        assert_eq!(code, 1, "{out}{err}");
        for secret in ["hun", "ter2"] {
            assert!(!out.contains(secret) && !err.contains(secret), "{format}: {out}{err}");
        }
        // The addresses of b to e; of a, f and j, and the header of i and j; the headers of g, h and k.
        let count = |code: &str| out.matches(code).count();
        assert_eq!((count("F3019"), count("F3021"), count("F3003")), (4, 5, 3), "{format}: {out}");
        assert!(out.contains("127.0.0.1:1"), "the host is no secret: {out}");
    }
}

#[test]
fn passwords_that_should_have_been_encoded_are_hidden() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let out = folder("passwords").join("m.json").display().to_string();
    for user in ["localhost:hun/ter2", "localhost:hun?ter2", "localhost:hun#ter2", "localhost:1/ter2"] {
        let url = format!("http://{user}@{closed}/?token=s3cr3t");
        let said = fails(&["anomaly", "fit", "--prometheus", &url, "--query", "up", "-o", &out], &["F9009", &closed.to_string()]);
        for secret in ["localhost", "hun", "ter2", "s3cr3t"] {
            assert!(!said.contains(secret), "{url}: {said}");
        }
    }
}

// Pipes, devices and what has no end.

#[test]
fn the_server_waits_for_no_pipe() {
    let dir = folder("serve");
    let serve = |data: &str, expected: &[&str]| {
        let data = dir.join(data).display().to_string();
        fails(&["serve", "--listen", "127.0.0.1:0", "--project", root().to_str().unwrap(), "--data", &data], expected)
    };
    pipe(&dir.join("lock/journal/lock"));
    serve("lock", &["F9508", "lock", "a named pipe, not a file"]);
    pipe(&dir.join("segment/journal/00000000000000000001.journal"));
    serve("segment", &["F9508", "a named pipe, not a file"]);
    pipe(&dir.join("old/scores.ndjson"));
    serve("old", &["F9001", "scores.ndjson", "a named pipe, not a file"]);
    fs::create_dir_all(dir.join("large")).unwrap();
    File::create(dir.join("large/scores.ndjson")).unwrap().set_len((64 << 20) + 1).unwrap();
    serve("large", &["F9004", "larger than 64 MiB"]);
}

#[test]
fn proposals_are_not_compared_with_a_pipe() {
    let planted = Planted::new("pipe");
    let out = folder("mine");
    pipe(&out.join("PROPOSAL.md"));
    let (incidents, project, out) = (planted.path("incidents"), planted.path(""), out.display().to_string());
    let args = ["mine", &incidents, "--project", &project, "--out", &out];
    fails(&args, &["F9001", "a named pipe, not a file"]);
    let forced: Vec<&str> = args.into_iter().chain(["--force"]).collect();
    fails(&forced, &["F9005", "a named pipe, not a file"]);
}

#[test]
fn an_answer_has_an_end() {
    let (code, said) = run(&["walk", "TREE-003"], File::open("/dev/zero").unwrap().into());
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("F9004") && said.contains("longer than 4096 bytes"), "{said}");
    let latin = folder("walk").join("answers");
    write(&latin, b"\xff\n");
    let (code, said) = run(&["walk", "TREE-003"], File::open(&latin).unwrap().into());
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("F9001") && said.contains("cannot read the answer"), "{said}");
}

#[test]
fn imports_write_to_no_pipe() {
    let dir = folder("import");
    write(&dir.join("a.csv"), "id,type\norder-db,database\n");
    let (table, into) = (dir.join("a.csv").display().to_string(), pipe(&dir.join("into.yaml")));
    let options: [&[&str]; 2] = [&[], &["--dry-run"]];
    for more in options {
        let args: Vec<&str> = ["import", "csv", &table, "--into", &into].into_iter().chain(more.iter().copied()).collect();
        fails(&args, &["F9001", "a named pipe, not a file"]);
    }
}

#[test]
fn stores_are_files() {
    let dir = folder("store");
    write(&dir.join("project/topology/a.yaml"), "components:\n  - {id: order-db, type: database}\n");
    write(&dir.join("a.csv"), "id,type\norder-db,database\n");
    fs::create_dir_all(dir.join("project/rules")).unwrap();
    let (project, table) = (dir.join("project").display().to_string(), dir.join("a.csv").display().to_string());
    let pipe = pipe(&dir.join("estate.redb"));
    for (store, kind) in
        [(pipe.as_str(), "a named pipe"), ("/dev/null", "a device"), ("/dev/zero", "a device"), (project.as_str(), "a folder")]
    {
        let expected = format!("`{store}`: it is {kind}, not a file");
        for args in [
            vec!["estate", "log", "--store", store],
            vec!["estate", "apply", &project, "--store", store],
            vec!["impact", "order-db", "--project", &project, "--as-of", "1", "--store", store],
            vec!["import", "csv", &table, "--project", &project, "--store", store],
            vec!["import", "csv", &table, "--project", &project, "--store", store, "--dry-run"],
        ] {
            let said = fails(&args, &["F9001", &expected]);
            assert!(!said.contains("os error") && !said.contains("estate apply"), "{args:?}: {said}");
        }
    }
}

// One message for one thing.

#[test]
fn deep_nesting_is_called_that_everywhere() {
    let blocks = (0..300).map(|depth| " ".repeat(depth) + "a:\n").collect::<Vec<_>>().concat();
    let brackets = |depth: usize| format!("components: {}{}\n", "[".repeat(depth), "]".repeat(depth));
    for (name, text) in [
        ("blocks", blocks),
        ("brackets", brackets(70)),
        ("many-brackets", brackets(300)),
        ("very-many-brackets", brackets(100_000)),
        ("open-brackets", format!("components: {}", "[".repeat(100_000))),
    ] {
        let dir = folder(&format!("yaml-{name}"));
        write(&dir.join("topology/a.yaml"), text);
        let (code, out, err) = faultscope(&["check", dir.to_str().unwrap(), "--format", "json"]);
        assert_eq!(code, 1, "{name}: {out}{err}");
        assert!(out.contains("F3001") && out.contains("nested more than 64 levels deep"), "{name}: {out}");
    }
}

#[test]
fn other_encodings_get_the_same_help_everywhere() {
    let dir = folder("encodings");
    let alert = br#"[{"status":"firing","labels":{"alertname":"A","service":"payment"},"startsAt":"2025-06-01T02:00:00Z"}]"#;
    write(&dir.join("bundle/alerts.json"), alert);
    write(&dir.join("bundle/topology.json"), b"{\"components\": [\"\xb6\xa9\xb5\xa5\"]}");
    write(&dir.join("t.csv"), b"time,\xb6\xa9\xb5\xa5\n2025-06-01T02:00:00Z,1\n");
    let at = |name: &str| dir.join(name).display().to_string();
    for args in [
        vec!["diagnose", &at("bundle"), "--project", root().to_str().unwrap()],
        vec!["anomaly", "fit", &at("t.csv"), "-o", &at("m.json")],
        vec!["import", "csv", &at("t.csv"), "--dry-run"],
    ] {
        fails(&args, &["F9002", "is not UTF-8: invalid byte at offset", "iconv"]);
    }
}
