//! `server.yaml`: how the server is set up. Every error is reported with its place, and a file with an error is not used at all: a limit
//! or a name that is misread is a hole.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration as Wait;

use diag::{Code, Diagnostic, Sources, Text, did_you_mean, nearest, text};
use estate::parse_duration;
use live::{Keep, Retention};
use value::fields::{Fields, Reader, items};
use value::yaml::{Node, Value, parse};
use value::{Dimension, Duration, Unit};

use super::pull;
use super::tokens::TokenFile;

/// The file in a project folder.
pub const FILE: &str = "server.yaml";

/// A file of settings is small; more is not one.
pub(super) const MAX_FILE: u64 = 1 << 20;

/// The name of the tokens in the data folder.
const TOKENS: &str = "tokens.json";

/// The most that a limit may be, so that it stays one.
const MOST_BYTES: f64 = 1_099_511_627_776.0 * 1024.0;
const MOST_COUNT: f64 = 1e9;

/// Sections, each read by the arm of the same name in [`Config::section`]; `notify` is read by package `notices`.
const SECTIONS: &[&str] = &["listen", "data", "tls", "hosts", "origins", "tokens", "limits", "retention", "keep", "notify", "pull"];

/// What `server.yaml` says. Paths are relative to the folder of the file.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The file, whether it is there or not.
    pub file: PathBuf,
    pub listen: Option<SocketAddr>,
    pub data: Option<PathBuf>,
    pub tls: Option<TlsFiles>,
    /// Names by which clients may call the server, in lower case; `*.example.com` stands for all names below it.
    pub hosts: Vec<String>,
    /// Web pages that may write, like `https://portal.example.com`.
    pub origins: Vec<String>,
    pub tokens: Option<PathBuf>,
    pub limits: Limits,
    pub retention: Retention,
    pub keep: Keep,
    /// Whom to tell of incidents.
    pub notify: notices::Settings,
    /// Servers that are asked for metrics.
    pub pull: Vec<pull::Settings>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: Secret,
}

/// Where a secret is kept: never in the file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    File(PathBuf),
    Environment(String),
}

/// What clients may use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time. Beyond it, one that waits makes room for the next.
    pub connections: usize,
    /// How long the headers of a request may take, and how long a connection may wait for the next one.
    pub header: Wait,
    /// How long a body may take.
    pub body: Wait,
    /// Bytes of all bodies in memory.
    pub bodies: usize,
    /// How long a question may take that takes turns, with the time until its turn.
    pub diagnosis: Wait,
    /// Diagnoses at the same time, each of which takes a core and the memory of its signals; and as many small questions.
    pub diagnoses: usize,
    /// How long the server takes at most to stop.
    pub grace: Wait,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // Half of the 1,024 files that a process may open by default.
            connections: 512,
            header: Wait::from_secs(30),
            body: Wait::from_mins(1),
            bodies: 128 << 20,
            diagnosis: Wait::from_mins(1),
            diagnoses: 2,
            grace: Wait::from_secs(10),
        }
    }
}

impl Config {
    /// Reads `file`, or else `server.yaml` in the project, if there is one. `sources` takes its text. What is wrong with it is returned
    /// beside what could be read.
    ///
    /// # Errors
    /// `UNREADABLE`, `TOO_LARGE`, `NOT_UTF8`: a file that cannot be read, or was named and is not there.
    pub fn load(root: &Path, file: Option<&Path>, sources: &mut Sources) -> Result<(Config, Vec<Diagnostic>), Box<Diagnostic>> {
        let path = file.map_or_else(|| root.join(FILE), Path::to_path_buf);
        let shown = file.map_or_else(|| FILE.to_owned(), |file| file.display().to_string());
        let bytes = match file {
            Some(_) => Some(files::read(&path, &shown, MAX_FILE)?),
            None => files::try_read(&path, &shown, MAX_FILE)?,
        };
        let Some(bytes) = bytes else { return Ok((Config { file: path, ..Config::default() }, Vec::new())) };
        let written = files::text(bytes, &shown)?;
        let (config, found) = Config::read(&shown, written, folder_of(&path), sources);
        Ok((Config { file: path, ..config }, found))
    }

    fn read(shown: &str, written: String, folder: &Path, sources: &mut Sources) -> (Config, Vec<Diagnostic>) {
        let source = sources.add(shown, written);
        let mut config = Config::default();
        let root = match parse(sources, source) {
            Ok(root) => root,
            Err(diagnostic) => return (config, vec![*diagnostic]),
        };
        if matches!(root.value, Value::Null) {
            return (config, Vec::new());
        }
        let mut reader = Reader::new(sources);
        if let Some(fields) = reader.fields(&root, "the file of the server", SECTIONS) {
            for (key, node) in fields.entries.iter().filter(|(_, node)| !matches!(node.value, Value::Null)) {
                config.section(&key.name, node, folder, &mut reader);
            }
        }
        let mut found = reader.diagnostics;
        if let Some(section) = root.get("notify").filter(|section| !matches!(section.value, Value::Null)) {
            let (notify, wrong) = notices::Settings::read(sources, section, folder);
            config.notify = notify;
            found.extend(wrong);
        }
        (config, found)
    }

    fn section(&mut self, name: &str, node: &Node, folder: &Path, reader: &mut Reader<'_>) {
        match name {
            "listen" => self.listen = address(reader, node),
            "data" => self.data = path(reader, node, "`data`", folder),
            "tls" => self.tls = tls(reader, node, folder),
            "hosts" => self.hosts = hosts(reader, node),
            "origins" => self.origins = origins(reader, node),
            "tokens" => self.tokens = path(reader, node, "`tokens`", folder),
            "limits" => limits(reader, node, &mut self.limits),
            "retention" => retention(reader, node, &mut self.retention),
            "keep" => keep(reader, node, &mut self.keep),
            "pull" => self.pull = pull::read(reader, node, folder),
            // `notify` is read by its package; an unknown section is reported already.
            _ => {}
        }
    }

    /// Where the tokens are, with the data folder in use.
    pub fn token_file(&self, data: &Path) -> TokenFile {
        TokenFile::new(self.tokens.clone().unwrap_or_else(|| data.join(TOKENS)))
    }
}

/// The folder of a file, from which the paths in it count.
fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn bad(reader: &mut Reader<'_>, node: &Node, message: Text, help: Text) {
    reader.report(Diagnostic::error(Code::WRONG_KIND, node.place, message).help(help));
}

fn address(reader: &mut Reader<'_>, node: &Node) -> Option<SocketAddr> {
    let written = reader.text(node, "`listen`")?;
    let address = written.parse().ok();
    if address.is_none() {
        bad(reader, node, text!("`{}` is not an address to listen on", written), text!("use an address and a port, like `127.0.0.1:7400`"));
    }
    address
}

fn path(reader: &mut Reader<'_>, node: &Node, what: &'static str, folder: &Path) -> Option<PathBuf> {
    let written = reader.text(node, what)?;
    Some(folder.join(written))
}

fn tls(reader: &mut Reader<'_>, node: &Node, folder: &Path) -> Option<TlsFiles> {
    let fields = reader.fields(node, "`tls`", &["cert", "key"])?;
    let cert = reader.required(&fields, "cert");
    let key = reader.required(&fields, "key");
    let cert = cert.and_then(|cert| path(reader, cert, "`cert`", folder));
    let key = key.and_then(|key| secret(reader, key, "`key`", folder));
    Some(TlsFiles { cert: cert?, key: key? })
}

/// Where a secret is: `env:NAME` is a variable of the environment, anything else a file. A secret itself is an error, since many people
/// can read what is in git.
pub fn secret(reader: &mut Reader<'_>, node: &Node, what: &'static str, folder: &Path) -> Option<Secret> {
    let written = reader.text(node, what)?;
    if let Some(name) = written.strip_prefix("env:") {
        return Some(Secret::Environment(name.trim().to_owned()));
    }
    if written.contains("-----BEGIN") || written.contains('\n') {
        let message = text!("{} contains a literal secret", Text::from(what));
        let help = text!("name a file that only the server can read, or a variable of the environment: `env:NAME`");
        reader.report(Diagnostic::error(Code::SECRET, node.place, message).help(help));
        return None;
    }
    Some(Secret::File(folder.join(written)))
}

fn hosts(reader: &mut Reader<'_>, node: &Node) -> Vec<String> {
    let mut hosts = Vec::new();
    for item in items(node) {
        let Some(host) = reader.text(item, "a name in `hosts`") else { continue };
        let name = host.strip_prefix("*.").unwrap_or(&host);
        if name.contains(['/', '*', '@', ' ']) || (name.contains(':') && name.parse::<std::net::IpAddr>().is_err()) {
            let help = text!("use a name without scheme and port, like `faultscope.example.com` or `*.example.com`");
            bad(reader, item, text!("`{}` is not the name of a host", host), help);
        } else {
            hosts.push(host.to_ascii_lowercase());
        }
    }
    hosts
}

fn origins(reader: &mut Reader<'_>, node: &Node) -> Vec<String> {
    let mut origins = Vec::new();
    for item in items(node) {
        let Some(written) = reader.text(item, "an origin in `origins`") else { continue };
        let origin = written.trim_end_matches('/').to_ascii_lowercase();
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', '@', ' '])) {
            origins.push(origin);
        } else {
            let help = text!("use scheme and host as a browser sends them, like `https://portal.example.com`");
            bad(reader, item, text!("`{}` is not an origin", written), help);
        }
    }
    origins
}

fn limits(reader: &mut Reader<'_>, node: &Node, limits: &mut Limits) {
    const KEYS: &[&str] = &["connections", "header", "body", "bodies", "diagnosis", "diagnoses", "grace"];
    let Some(fields) = reader.fields(node, "`limits`", KEYS) else { return };
    count(reader, &fields, "connections", &mut limits.connections);
    wait(reader, &fields, "header", &mut limits.header);
    wait(reader, &fields, "body", &mut limits.body);
    let mut bodies = u64::try_from(limits.bodies).unwrap_or(u64::MAX);
    size(reader, &fields, "bodies", &mut bodies);
    limits.bodies = usize::try_from(bodies).unwrap_or(usize::MAX);
    wait(reader, &fields, "diagnosis", &mut limits.diagnosis);
    count(reader, &fields, "diagnoses", &mut limits.diagnoses);
    wait(reader, &fields, "grace", &mut limits.grace);
}

fn retention(reader: &mut Reader<'_>, node: &Node, retention: &mut Retention) {
    let Some(fields) = reader.fields(node, "`retention`", &["age", "size"]) else { return };
    duration(reader, &fields, "age", &mut retention.age);
    size(reader, &fields, "size", &mut retention.bytes);
}

fn keep(reader: &mut Reader<'_>, node: &Node, keep: &mut Keep) {
    const KEYS: &[&str] = &["signals", "samples", "calls", "scores", "incidents", "most_signals", "most_samples", "most_series"];
    let Some(fields) = reader.fields(node, "`keep`", KEYS) else { return };
    duration(reader, &fields, "signals", &mut keep.signals);
    duration(reader, &fields, "samples", &mut keep.samples);
    duration(reader, &fields, "calls", &mut keep.calls);
    duration(reader, &fields, "scores", &mut keep.scores);
    duration(reader, &fields, "incidents", &mut keep.incidents);
    count(reader, &fields, "most_signals", &mut keep.most_signals);
    count(reader, &fields, "most_samples", &mut keep.most_samples);
    count(reader, &fields, "most_series", &mut keep.most_series);
}

fn duration(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str, into: &mut Duration) {
    let (Some(node), Some(written)) = (fields.get(key), reader.optional(fields, key)) else { return };
    match parse_duration(&written) {
        Some(duration) => *into = duration,
        None => bad(reader, node, text!("invalid duration `{}`", written), text!("use a number and a unit, like `90m` or `1h30m`")),
    }
}

fn wait(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str, into: &mut Wait) {
    let mut milliseconds = i64::try_from(into.as_millis()).unwrap_or(i64::MAX);
    duration(reader, fields, key, &mut milliseconds);
    *into = Wait::from_millis(u64::try_from(milliseconds).unwrap_or(0));
}

fn size(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str, into: &mut u64) {
    let (Some(node), Some(written)) = (fields.get(key), reader.optional(fields, key)) else { return };
    match bytes(&written) {
        Some(bytes) => *into = bytes,
        None => {
            let near = written.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ' '));
            let help =
                nearest(near, ["KiB", "MiB", "GiB", "TiB"]).map_or_else(|| text!("use a number and a unit, like `4GiB`"), did_you_mean);
            bad(reader, node, text!("`{}` is not an amount of data", written), help);
        }
    }
}

fn bytes(written: &str) -> Option<u64> {
    let end = written.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(written.len());
    let (number, unit) = written.split_at(end);
    let unit = Unit::parse(unit).filter(|unit| unit.dimension == Dimension::Bytes)?;
    let bytes = number.parse::<f64>().ok()? * unit.factor;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    (1.0..=MOST_BYTES).contains(&bytes).then_some(bytes.round() as u64)
}

fn count(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str, into: &mut usize) {
    let Some(node) = fields.get(key) else { return };
    match node.value {
        Value::Number(number) if number.fract() == 0.0 && (1.0..=MOST_COUNT).contains(&number) => {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
            let number = number as usize;
            *into = number;
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => {
            let message = text!("`{}` of {} must be a whole number of at least 1", key, Text::from(fields.what));
            reader.report(Diagnostic::error(Code::WRONG_KIND, node.place, message));
        }
    }
}

impl Secret {
    /// The secret itself.
    ///
    /// # Errors
    /// A file or a variable that is not there or cannot be read.
    pub fn read(&self) -> Result<Vec<u8>, Box<Diagnostic>> {
        match self {
            Secret::File(path) => files::read(path, &path.display().to_string(), MAX_FILE),
            Secret::Environment(name) => {
                let missing = || Box::new(Diagnostic::nowhere(Code::UNREADABLE, text!("the environment variable `{}` is not set", name)));
                std::env::var(name).map(String::into_bytes).map_err(|_| missing())
            }
        }
    }
}
