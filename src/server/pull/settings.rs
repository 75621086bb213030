//! The section `pull` of `server.yaml`: servers that are asked for metrics, and how.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration as Wait;

use base64::prelude::{BASE64_STANDARD, Engine};

use diag::{Code, Diagnostic, Place, Text, address, text};
use estate::parse_duration;
use project::{Hidden, Sender};
use value::fields::{Fields, Reader, items, missing};
use value::yaml::Node;
use value::{DAY, Duration, HOUR, MINUTE, SECOND, Time};

/// The largest file with certificates, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// A server that speaks the query API of Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Without a `/` at the end, and without secrets.
    pub url: String,
    pub every: Duration,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How far back it is asked for what was never fetched.
    pub history: Duration,
    /// How long after its time a sample can surely be asked for.
    pub delay: Duration,
    pub login: Login,
    pub headers: Vec<(String, Hidden)>,
    /// Certificates in PEM that vouch for the server, instead of those of the operating system.
    pub ca: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    None,
    Bearer(Hidden),
    Basic { user: String, password: Hidden },
}

/// The section: one server, or a list of them. A server with an error is left out.
pub fn read(reader: &mut Reader<'_>, node: &Node, folder: &Path) -> Vec<Settings> {
    let mut all: Vec<Settings> = Vec::new();
    for item in items(node) {
        let Some(one) = server(reader, item, folder) else { continue };
        if all.iter().any(|known| known.url == one.url) {
            let message = text!("`{}` is there twice", one.url);
            wrong(reader, item.place, message, text!("name each server once: all that rules read is asked of each"));
        } else {
            all.push(one);
        }
    }
    all
}

fn server(reader: &mut Reader<'_>, node: &Node, folder: &Path) -> Option<Settings> {
    const KEYS: &[&str] = &["url", "every", "timeout", "history", "delay", "token", "user", "password", "headers", "ca"];
    let fields = reader.fields(node, "a server in `pull`", KEYS)?;
    let url = url(reader, &fields);
    let every = within(reader, &fields, "every", 30 * SECOND, &(SECOND..=HOUR));
    let timeout = within(reader, &fields, "timeout", 5 * SECOND, &(SECOND / 10..=MINUTE));
    let history = within(reader, &fields, "history", HOUR, &(MINUTE..=DAY));
    let delay = within(reader, &fields, "delay", 10 * SECOND, &(SECOND..=10 * MINUTE));
    let login = login(reader, &fields, folder);
    let headers = Hidden::headers(reader, &fields, folder);
    let ca = reader.optional(&fields, "ca").map(|path| folder.join(path));
    Some(Settings { url: url?, every, timeout, history, delay, login, headers, ca })
}

fn url(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<String> {
    let node = reader.required(fields, "url")?;
    let written = reader.optional(fields, "url")?;
    let url = written.trim_end_matches('/');
    if url.contains('@') {
        let help = text!("write user and password under `user` and `password`, a token under `token`");
        let message = text!("{} contains a literal secret", text!("`{}` of {}", "url", Text::from(fields.what)));
        reader.report(Diagnostic::error(Code::SECRET, node.place, message).help(help));
        return None;
    }
    if url.contains(['?', '#']) || Sender::new(url, Wait::from_secs(1)).is_err() {
        let message = text!("`{}` is not the address of a server to ask", address(&written));
        wrong(reader, node.place, message, text!("use scheme, host and port, like `http://prometheus:9090`"));
        return None;
    }
    Some(url.to_owned())
}

fn within(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str, or: Duration, range: &RangeInclusive<Duration>) -> Duration {
    let (Some(node), Some(written)) = (fields.get(key), reader.optional(fields, key)) else { return or };
    let found = parse_duration(&written).filter(|duration| range.contains(duration));
    found.unwrap_or_else(|| {
        let help = text!("use one from `{}` to `{}`", Time::describe(*range.start()), Time::describe(*range.end()));
        wrong(reader, node.place, text!("invalid duration `{}`", written), help);
        or
    })
}

fn login(reader: &mut Reader<'_>, fields: &Fields<'_>, folder: &Path) -> Login {
    let token = Hidden::secret(reader, fields, "token", folder);
    let user = reader.optional(fields, "user");
    let password = Hidden::secret(reader, fields, "password", folder);
    let given = |key: &str| fields.get(key).is_some();
    if given("token") && (given("user") || given("password")) {
        let message = text!("a server in `pull` has both `token` and `user`");
        wrong(reader, fields.place, message, text!("keep the one that the server asks for"));
    } else if given("user") != given("password") {
        reader.report(missing(fields, if given("user") { "password" } else { "user" }));
    }
    match (token, user, password) {
        (Some(token), _, _) => Login::Bearer(token),
        (None, Some(user), Some(password)) => Login::Basic { user, password },
        (None, _, _) => Login::None,
    }
}

fn wrong(reader: &mut Reader<'_>, place: Place, message: Text, help: Text) {
    reader.report(Diagnostic::error(Code::WRONG_KIND, place, message).help(help));
}

impl Settings {
    /// What asks this server; secrets and certificates are read each time, so that new ones need no restart.
    ///
    /// # Errors
    /// Why it cannot be asked.
    pub fn sender(&self) -> Result<Sender, Text> {
        let sender = Sender::new(&self.url, Wait::from_millis(u64::try_from(self.timeout).unwrap_or(0)))?;
        let Some(ca) = &self.ca else { return Ok(sender) };
        let pem = files::read(ca, &ca.display().to_string(), MAX_FILE).map_err(|error| text!("was not asked: {}", error.message))?;
        sender.trusting(&pem)
    }

    /// The headers of each request, with their secrets.
    ///
    /// # Errors
    /// A secret that is not there.
    pub fn revealed(&self) -> Result<Vec<(String, String)>, Text> {
        let mut headers = Vec::new();
        match &self.login {
            Login::None => {}
            Login::Bearer(token) => headers.push(("authorization".to_owned(), format!("Bearer {}", token.reveal()?))),
            Login::Basic { user, password } => {
                let login = BASE64_STANDARD.encode(format!("{user}:{}", password.reveal()?));
                headers.push(("authorization".to_owned(), format!("Basic {login}")));
            }
        }
        for (name, value) in &self.headers {
            headers.push((name.clone(), value.reveal()?));
        }
        Ok(headers)
    }
}
