//! Stands before every route: by what name the server is called, who calls, what they may do, and how much they send. Writes it lets
//! through go on without their client, and end in the audit.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONNECTION, HOST, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_STANDARD, Engine};

use diag::{Code, Diagnostic, Text, text};

use super::access::{Access, Does, is_other_method, is_safe, of};
use super::audit::{Audit, Done};
use super::bodies::{Bodies, Unread, drain};
use super::config::Config;
use super::listen::Link;
use super::refusal::Refusal;
use super::request::now;
use super::tokens::{Role, Stamp, TokenFile, Tokens, Who};
use super::{AppState, News};

/// When a client may try again for which there was no room.
const RETRY: &str = "5";

/// See the module.
pub struct Guard {
    allowed: RwLock<Allowed>,
    file: TokenFile,
    tokens: Mutex<Known>,
    audit: Audit,
    bodies: Bodies,
}

/// Who may call the server, and write, besides itself.
#[derive(Debug)]
struct Allowed {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Allowed {
    fn of(config: &Config) -> Allowed {
        Allowed { hosts: config.hosts.clone(), origins: config.origins.clone() }
    }
}

/// The tokens as last read.
#[derive(Debug)]
struct Known {
    /// `None`: there has never been one, and everybody may do everything. Once there was one, this never comes back.
    tokens: Option<Tokens>,
    seen: Stamp,
    /// Why those on file are not used.
    refused: Option<Text>,
}

impl Guard {
    /// # Errors
    /// Tokens or an audit that cannot be used.
    pub fn new(config: &Config, data: &Path) -> Result<Guard, Box<Diagnostic>> {
        let file = config.token_file(data);
        let seen = file.stamp();
        let tokens = Mutex::new(Known { tokens: file.read()?, seen, refused: None });
        Ok(Guard {
            allowed: RwLock::new(Allowed::of(config)),
            file,
            tokens,
            audit: Audit::open(data)?,
            bodies: Bodies::new(&config.limits),
        })
    }

    /// Uses the hosts and origins of other settings.
    pub fn allow(&self, config: &Config) {
        *self.allowed.write().unwrap_or_else(PoisonError::into_inner) = Allowed::of(config);
    }

    fn allowed(&self) -> RwLockReadGuard<'_, Allowed> {
        self.allowed.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether requests need a token.
    pub fn asks_for_tokens(&self) -> bool {
        self.known().tokens.is_some()
    }

    /// Looks whether the tokens have changed. Returns why new ones cannot be read; the ones before stay.
    pub fn look(&self) -> Option<Text> {
        let found = self.file.stamp();
        if self.known().seen == found {
            return None;
        }
        let read = self.file.read();
        let mut known = self.known();
        known.seen = found;
        known.refused = None;
        match read {
            Ok(Some(tokens)) => known.tokens = Some(tokens),
            // Whoever removes the file of a running server opens nothing.
            Ok(None) => {}
            Err(why) => known.refused = Some(text!("the tokens in use stay: {}", why.message)),
        }
        known.refused.clone()
    }

    /// Why the tokens on file are not used.
    pub fn refused(&self) -> Option<Text> {
        self.known().refused.clone()
    }

    /// Writes the counts of signals into the audit.
    pub fn close(&self) {
        // The server is going, and the disk has failed: there is nobody left to tell.
        let _ = self.audit.close(now());
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who asks.
    fn who(&self, headers: &HeaderMap) -> Result<Who, Refusal> {
        let known = self.known();
        let Some(tokens) = &known.tokens else { return Ok(Who { name: None, role: Role::Admin }) };
        let Some(token) = presented(headers) else {
            let help = "send the header `Authorization: Bearer TOKEN`, or the token as password of basic authentication; \
                        `faultscope token add` makes one";
            return Err(unknown("this request needs a token").help(help));
        };
        tokens.find(&token).ok_or_else(|| {
            unknown("the token is not valid").help("it may have been revoked: `faultscope token list` shows those that are valid")
        })
    }

    /// The name by which the server is called must be one of its own: otherwise a web page whose name points here could ask in the name
    /// of whoever looks at it.
    fn host(&self, request: &Request) -> Result<String, Refusal> {
        let refused = |what: String| {
            Refusal::new(StatusCode::MISDIRECTED_REQUEST, Code::HOST, what)
                .help("call the server by the address that it listens on, by `localhost`, or by a name listed under `hosts` in server.yaml")
        };
        let mut given = request.headers().get_all(HOST).iter();
        let (Some(host), None) = (given.next(), given.next()) else {
            return Err(refused("the request needs one `Host` header".to_owned()));
        };
        let host = host.to_str().unwrap_or_default().to_ascii_lowercase();
        let link = request.extensions().get::<Arc<Link>>();
        let local = link.map(|link| link.local.ip());
        let in_address = request.uri().authority().map(|authority| authority.as_str().to_ascii_lowercase());
        for name in std::iter::once(&host).chain(&in_address) {
            if !is_own(name_of(name), local, &self.allowed().hosts) {
                return Err(refused(format!("this server is not `{name}`")));
            }
        }
        Ok(host)
    }

    /// A web page may write only if it comes from here, or is allowed to.
    fn origin(&self, request: &Request, host: &str) -> Result<(), Refusal> {
        let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
        if is_safe(request.method().as_str()) {
            return Ok(());
        }
        let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        let own = origin.split_once("://").is_some_and(|(_, authority)| authority == host);
        if own || self.allowed().origins.contains(&origin) {
            return Ok(());
        }
        Err(Refusal::new(StatusCode::FORBIDDEN, Code::HOST, format!("pages of `{origin}` may not write here"))
            .help("list the origin under `origins` in server.yaml if they should"))
    }
}

/// The token of a request: as bearer, or as the password of basic authentication.
fn presented(headers: &HeaderMap) -> Option<String> {
    let (scheme, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

fn unknown(what: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, Code::NO_TOKEN, what)
}

/// `faultscope.example.com:7400`, `[::1]:7400`: without the port.
fn name_of(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

/// Whether a name, in lower case, is one of this server. `local`: the address by which the client came.
fn is_own(name: &str, local: Option<IpAddr>, hosts: &[String]) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name == "localhost" {
        return true;
    }
    if let Ok(address) = name.parse::<IpAddr>() {
        let address = address.to_canonical();
        if address.is_loopback() || local.is_some_and(|local| local.to_canonical() == address) {
            return true;
        }
    }
    hosts.iter().any(|host| match host.strip_prefix('*') {
        Some(domain) => name.len() > domain.len() && name.ends_with(domain),
        None => name == host,
    })
}

/// A request that may go on.
struct Passed {
    who: Who,
    access: Access,
}

enum Verdict {
    /// The router does not know it, and says so itself.
    Unrouted,
    Passed(Passed),
    /// With who it was, if that is known.
    Refused(Refusal, Option<Passed>),
}

fn judge(guard: &Guard, request: &Request) -> Verdict {
    let host = match guard.host(request) {
        Ok(host) => host,
        Err(refusal) => return Verdict::Refused(refusal, None),
    };
    let Some(path) = request.extensions().get::<MatchedPath>() else { return Verdict::Unrouted };
    let access = of(request.method().as_str(), path.as_str());
    let who = match access.role {
        None => Ok(Who { name: None, role: Role::Viewer }),
        Some(_) => guard.who(request.headers()),
    };
    let passed = match who {
        Ok(who) => Passed { who, access },
        Err(refusal) => return Verdict::Refused(refusal, None),
    };
    if is_other_method(request.method().as_str(), path.as_str()) {
        return Verdict::Unrouted;
    }
    if let Some(needed) = access.role
        && !passed.who.role.may(needed)
    {
        return Verdict::Refused(forbidden(path.as_str(), needed, &passed.who), Some(passed));
    }
    match guard.origin(request, &host) {
        Ok(()) => Verdict::Passed(passed),
        Err(refusal) => Verdict::Refused(refusal, Some(passed)),
    }
}

fn forbidden(path: &str, needed: Role, who: &Who) -> Refusal {
    let name = who.name.as_deref().unwrap_or_default();
    let message = format!("`{path}` needs the role `{}`; the token `{name}` has `{}`", needed.name(), who.role.name());
    Refusal::new(StatusCode::FORBIDDEN, Code::ROLE, message)
        .help(format!("use a token of that role: `faultscope token add NAME --role {}`", needed.name()))
}

/// See the module.
pub async fn guard(State(served): State<Arc<AppState>>, request: Request, next: Next) -> Response {
    let verdict = judge(&served.guard, &request);
    match verdict {
        Verdict::Unrouted => next.run(request).await,
        Verdict::Passed(passed) => pass(served, request, next, passed).await,
        Verdict::Refused(refusal, passed) => {
            let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
            let response = refused(refusal);
            drain(request.into_body()).await;
            // Who tried to write and may not is worth a line; who is nobody could write as many as they like.
            if let Some(Passed { who, access: Access { does: Does::Write, .. } }) = passed {
                record(&served, who, method, path, response.status()).await;
            }
            response
        }
    }
}

async fn pass(served: Arc<AppState>, request: Request, next: Next, passed: Passed) -> Response {
    let Passed { who, access } = passed;
    let (mut parts, body) = request.into_parts();
    let is_alerts = matches!(parts.uri.path(), "/api/v2/alerts" | "/api/v1/ingest/alertmanager" | "/api/v1/ingest/zabbix");
    let bytes = match served.guard.bodies.read(body, is_alerts).await {
        Ok(bytes) => bytes,
        // A sender must hear what it understands, or it throws its signals away.
        Err(Unread::Slow | Unread::Full) if access.does == Does::Send => return super::ingest::overloaded(&parts.uri, &parts.headers),
        Err(unread) => return refused(why(unread)),
    };
    if let Some(link) = parts.extensions.get::<Arc<Link>>() {
        link.works();
    }
    parts.extensions.insert(who.clone());
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    let request = Request::from_parts(parts, Body::from(bytes));
    match access.does {
        Does::Ask => next.run(request).await,
        Does::Send => {
            let response = next.run(request).await;
            served.guard.audit.count(&who);
            response
        }
        Does::Write => {
            // A client that leaves must not keep a change out of the audit.
            let doing = tokio::spawn(async move {
                let response = next.run(request).await;
                record(&served, who, method, path, response.status()).await;
                response
            });
            doing.await.unwrap_or_else(|_| Refusal::broken("internal error while handling the request").into_response())
        }
    }
}

async fn record(served: &Arc<AppState>, who: Who, method: String, path: String, status: StatusCode) {
    let shared = Arc::clone(served);
    let writing = tokio::task::spawn_blocking(move || {
        let done = Done { at: now(), who: &who, method: &method, path: &path, status: status.as_u16() };
        if let Err(error) = shared.guard.audit.write(&done) {
            (shared.say)(&News::Wrong(text!("cannot write the audit: {}", error)));
        }
    });
    // It fails only if the server is going.
    let _ = writing.await;
}

fn why(unread: Unread) -> Refusal {
    match unread {
        Unread::Slow => Refusal::new(StatusCode::REQUEST_TIMEOUT, Code::BUSY, "the body did not come in time")
            .help("send it faster, in smaller requests, or raise `limits.body` in server.yaml"),
        Unread::Full => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::BUSY, "there is no room for the body now")
            .help("try again later, send smaller requests, or raise `limits.bodies` in server.yaml"),
        Unread::Broken(why) => Refusal::request(format!("cannot read the body: {why}")).help("send the whole body, as its headers say"),
    }
}

/// The answer of a refusal, with the headers that go with its status.
fn refused(refusal: Refusal) -> Response {
    let status = refusal.status;
    let mut response = refusal.into_response();
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"faultscope\""));
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"faultscope\", charset=\"UTF-8\""));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY));
    }
    // The rest of the body is not read.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::{is_own, name_of, presented};
    use axum::http::{HeaderMap, HeaderValue};

    #[test]
    fn names_are_read_without_their_port() {
        for (host, name) in [
            ("example.com", "example.com"),
            ("example.com:7400", "example.com"),
            ("10.0.0.1:80", "10.0.0.1"),
            ("[::1]:7400", "::1"),
            ("[::1]", "::1"),
            ("a:b", "a:b"),
        ] {
            assert_eq!(name_of(host), name);
        }
    }

    #[test]
    fn only_own_names_are_answered() {
        let hosts = ["faultscope.example.com".to_owned(), "*.corp.example".to_owned()];
        let local = "::ffff:10.0.0.1".parse().ok();
        for (name, own) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("::1", true),
            ("10.0.0.1", true),
            ("10.0.0.2", false),
            ("faultscope.example.com", true),
            ("faultscope.example.com.", true),
            ("faultscope.example.com.evil.example", false),
            ("a.corp.example", true),
            ("corp.example", false),
            ("xcorp.example", false),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("", false),
        ] {
            assert_eq!(is_own(name, local, &hosts), own, "{name}");
        }
    }

    #[test]
    fn tokens_come_as_bearer_or_as_password() {
        let given = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", HeaderValue::from_static(value));
            presented(&headers)
        };
        assert_eq!(given("Bearer fst_1").as_deref(), Some("fst_1"));
        assert_eq!(given("bearer  fst_1 ").as_deref(), Some("fst_1"));
        assert_eq!(given("Basic cHJvbTpmc3RfMQ==").as_deref(), Some("fst_1"));
        for wrong in ["fst_1", "Basic !!", "Basic cHJvbQ==", "Digest x", ""] {
            assert_eq!(given(wrong), None, "{wrong}");
        }
        assert_eq!(presented(&HeaderMap::new()), None);
    }
}
