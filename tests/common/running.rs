//! A server as a process of its own, for tests that kill it, fill its disk and change its files.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;

/// Long enough for a slow machine; what needs it is broken.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A folder of its own that is gone afterwards.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("faultscope-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// Writes files into a folder, and says where it is.
    pub fn with(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let dir = self.0.join(name);
        for (file, text) in files {
            let path = dir.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The end of a process that a test started, also of a test that fails.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

pub struct Running {
    process: Process,
    pub address: String,
    client: Agent,
}

impl Running {
    /// Starts on an address, `127.0.0.1:0` for a free port; returns once it listens.
    pub fn start(project: &Path, data: &Path, listen: &str) -> Running {
        let mut child = Command::new(env!("CARGO_BIN_EXE_faultscope"))
            .args(["serve", "--listen", listen, "--project"])
            .arg(project)
            .arg("--data")
            .arg(data)
            .env("NO_PROXY", "127.0.0.1")
            .stdout(Stdio::piped())
            .stderr(fs::File::create(said_in(data)).map_or_else(|_| Stdio::null(), Stdio::from))
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let process = Process(child);
        let address = line.split_whitespace().find(|word| word.starts_with("http://"));
        let address = address.unwrap_or_else(|| panic!("the server does not start: {line}")).to_owned();
        Running { process, address, client: client() }
    }

    /// Its port, to start another one there.
    pub fn port(&self) -> &str {
        self.address.rsplit(':').next().unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        answer(&self.client, &self.address, path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(&self.client, &self.address, path, Some(body))
    }

    /// The header `Warning` of an answer; empty without one.
    pub fn warning(&self, path: &str) -> String {
        let said = self.client.get(format!("{}{path}", self.address)).call().unwrap();
        said.headers().get("warning").map_or_else(String::new, |warning| warning.to_str().unwrap().to_owned())
    }

    /// The incidents with their reports.
    pub fn incidents(&self) -> Vec<Value> {
        let (_, listed) = self.get("/api/v1/incidents");
        let ids = listed["incidents"].as_array().into_iter().flatten().filter_map(|one| one["id"].as_u64());
        ids.map(|id| self.get(&format!("/api/v1/incidents/{id}")).1).collect()
    }

    /// The last diagnosis.
    pub fn diagnosis(&self) -> Value {
        self.get("/api/v1/diagnosis").1["diagnosis"].clone()
    }

    /// The numbers of one kind of signal in the last diagnosis.
    pub fn count(&self, kind: &str, what: &str) -> u64 {
        let diagnosis = self.diagnosis();
        let kinds = diagnosis["accounting"].as_array().cloned().unwrap_or_default();
        kinds.iter().find(|one| one["kind"] == kind).and_then(|one| one[what].as_u64()).unwrap_or(0)
    }
}

/// What a server with this data folder writes to standard error.
pub fn said_in(data: &Path) -> PathBuf {
    data.with_extension("stderr")
}

pub fn client() -> Agent {
    Agent::config_builder().proxy(None).http_status_as_error(false).timeout_global(Some(PATIENCE)).build().into()
}

fn answer(client: &Agent, address: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let url = format!("{address}{path}");
    let said = match body {
        Some(body) => client.post(url).header("content-type", "application/json").send(body.to_string()),
        None => client.get(url).call(),
    };
    let mut said = said.unwrap();
    let text = said.body_mut().read_to_string().unwrap();
    (said.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Waits until something holds. Fails with what was last seen.
pub fn until<T: std::fmt::Debug>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => {
                assert!(began.elapsed() < PATIENCE, "{what}, after {} s: {seen}", PATIENCE.as_secs());
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// A service on a database, placed by the label `component`.
pub const ESTATE: (&str, &str) = (
    "topology/estate.yaml",
    "components:\n  - {id: order-db, type: database}\n  - {id: order-service, type: service}\nrelations:\n  - {from: order-service, kind: depends_on, to: order-db}\n",
);
pub const SOURCES: (&str, &str) = (
    "topology/sources.yaml",
    "placement:\n  - {label: component}\nmetrics:\n  - {series: mysql_global_status_threads_connected, metric: connections, unit: count, type: database}\n",
);
