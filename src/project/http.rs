//! An HTTP client. Requests are limited in time and size, and only go to the given address.
//!
//! Certificates are checked with the trust store of the operating system (on Linux `/etc/ssl/certs`, or what `SSL_CERT_FILE` and
//! `SSL_CERT_DIR` name). Proxies of the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`) are used.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ureq::http::{Response, StatusCode, Uri};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Error};

use diag::{Text, address, text};
use value::Time;

/// The largest response that is read, in bytes. The scores of a thousand series take a tenth of a mebibyte, so a larger response is
/// not a list of scores.
pub const MAX_RESPONSE: u64 = 16 << 20;

/// Characters of an error response that are shown.
const MAX_QUOTE: usize = 200;

/// `GET`. `timeout` covers everything from connecting to the last byte of the response. A user and password in the address are
/// sent as basic authentication.
///
/// # Errors
/// A phrase that continues after the name of the server: `cannot be reached: connection refused`. It never contains the user,
/// the password or the query of the address.
pub fn get(url: &str, timeout: Duration) -> Result<Vec<u8>, Text> {
    let target = Target::parse(url)?;
    let mut request = agent(timeout, RootCerts::PlatformVerifier).get(target.uri.clone());
    if let Some(authorization) = &target.authorization {
        request = request.header("authorization", authorization);
    }
    answered(request.call(), &target, timeout)?.usable()
}

/// `POST` of JSON. `timeout` as in [`get`]; `headers` are sent besides `content-type`.
///
/// # Errors
/// As for [`get`].
pub fn post_json(url: &str, headers: &BTreeMap<String, String>, body: &[u8], timeout: Duration) -> Result<Vec<u8>, Text> {
    let target = Target::parse(url)?;
    answered(send(&target, headers, body, timeout), &target, timeout)?.usable()
}

/// What was answered, whatever the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// How long the server wants to be left alone (`Retry-After` in seconds), in milliseconds.
    pub wait: Option<value::Duration>,
    /// Where a redirect leads.
    pub to: Option<String>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body of a success.
    ///
    /// # Errors
    /// A phrase as of [`get`]: another status, or more than [`MAX_RESPONSE`].
    pub fn usable(self) -> Result<Vec<u8>, Text> {
        let Answer { status, to, body, .. } = self;
        if (300..400).contains(&status) {
            let to = to.map_or_else(|| "another address".to_owned(), |to| clipped(&address(&to)));
            return Err(text!("redirects to `{}` (status {}): use that address instead", to, status));
        }
        if !(200..300).contains(&status) {
            let quote = clipped(String::from_utf8_lossy(&body).lines().next().unwrap_or(""));
            let quote = if quote.is_empty() { String::new() } else { format!(": {quote}") };
            return Err(text!("returned status {}{}", describe(status), quote));
        }
        if u64::try_from(body.len()).unwrap_or(u64::MAX) > MAX_RESPONSE {
            return Err(text!("returned more than {} MiB", MAX_RESPONSE >> 20));
        }
        Ok(body)
    }
}

/// The same as [`post_json`], for those who read refusals too.
///
/// # Errors
/// As for [`get`], if there is no answer.
pub fn post(url: &str, headers: &BTreeMap<String, String>, body: &[u8], timeout: Duration) -> Result<Answer, Text> {
    let target = Target::parse(url)?;
    answered(send(&target, headers, body, timeout), &target, timeout)
}

fn answered(sent: Result<Response<Body>, Error>, target: &Target, timeout: Duration) -> Result<Answer, Text> {
    let mut answer = received(sent, target, timeout)?;
    let wait = answer.headers().get("retry-after").and_then(|wait| wait.to_str().ok()).and_then(|wait| wait.trim().parse::<u32>().ok());
    let wait = wait.map(|seconds| i64::from(seconds) * value::SECOND);
    let to = answer.headers().get("location").and_then(|to| to.to_str().ok()).map(str::to_owned);
    Ok(Answer { status: answer.status().as_u16(), wait, to, body: read(&mut answer, timeout)? })
}

fn send(target: &Target, headers: &BTreeMap<String, String>, body: &[u8], timeout: Duration) -> Result<Response<Body>, Error> {
    let mut request = agent(timeout, RootCerts::PlatformVerifier).post(target.uri.clone()).header("content-type", "application/json");
    if let Some(authorization) =
        target.authorization.as_ref().filter(|_| !headers.keys().any(|name| name.eq_ignore_ascii_case("authorization")))
    {
        request = request.header("authorization", authorization);
    }
    for (name, value) in headers {
        request = request.header(name.as_str(), value.as_str());
    }
    request.send(body)
}

/// Sends requests to one server, on connections that stay open.
pub struct Sender {
    agent: Agent,
    base: String,
    timeout: Duration,
}

impl Sender {
    /// `base` is the address without the path; `timeout` is for each request, as in [`get`].
    ///
    /// # Errors
    /// As for [`get`]: the address is wrong.
    pub fn new(base: &str, timeout: Duration) -> Result<Sender, Text> {
        let base = base.trim_end_matches('/').to_owned();
        Target::parse(&base)?;
        Ok(Sender { agent: agent(timeout, RootCerts::PlatformVerifier), base, timeout })
    }

    /// The same, but only certificates count for which one of these vouches (PEM).
    ///
    /// # Errors
    /// There is no certificate among them.
    pub fn trusting(self, pem: &[u8]) -> Result<Sender, Text> {
        let mut roots = Vec::new();
        for item in parse_pem(pem) {
            if let PemItem::Certificate(root) = item.map_err(|error| text!("cannot be queried: {}", cause(&error)))? {
                roots.push(root);
            }
        }
        if roots.is_empty() {
            return Err(text!("cannot be queried: there is no certificate in its `ca`"));
        }
        Ok(Sender { agent: agent(self.timeout, RootCerts::from(roots)), ..self })
    }

    /// `POST` of a form.
    ///
    /// # Errors
    /// As for [`get`], if there is no answer.
    pub fn post_form(&self, path: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Result<Answer, Text> {
        let pair = |(key, value): &(&str, &str)| format!("{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        let body = form.iter().map(pair).collect::<Vec<String>>().join("&");
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend(headers);
        self.post(path, &all, body.as_bytes())
    }

    /// `POST`, as [`post`] does it.
    ///
    /// # Errors
    /// As for [`get`], if there is no answer.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer, Text> {
        let target = Target::parse(&format!("{}{path}", self.base))?;
        let mut request = self.agent.post(target.uri.clone());
        if let Some(authorization) = &target.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answered(request.send(body), &target, self.timeout)
    }
}

/// The target of a request.
struct Target {
    /// Without user and password.
    uri: Uri,
    authorization: Option<String>,
    /// `host:port`, for messages. `None` if these may be a user and part of a password.
    at: Option<String>,
}

impl Target {
    fn parse(url: &str) -> Result<Target, Text> {
        let uri = url.parse::<Uri>().map_err(|error| text!("cannot be queried: invalid address: {}", error))?;
        let default = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            Some(other) => return Err(text!("cannot be queried: the scheme `{}` is neither http nor https", other)),
            None => return Err(text!("cannot be queried: the address needs a scheme, like `http://host:9090`")),
        };
        let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
            return Err(text!("cannot be queried: the address has no host"));
        };
        let place = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(default));
        let user = authority.as_str().rsplit_once('@').map(|(user, _)| user.to_owned());
        // With a `/`, `?` or `#` in the password, the user would be taken for the host, and the rest for the path.
        let is_doubtful = user.is_none() && url.contains('@');
        if is_doubtful && authority.as_str() != authority.host() && authority.port_u16().is_none() {
            return Err(text!("cannot be queried: encode `/`, `?` and `#` in its password as `%2F`, `%3F` and `%23`"));
        }
        let at = (!is_doubtful).then(|| place.clone());
        let mut parts = uri.clone().into_parts();
        parts.authority = Some(place.parse().map_err(|_| text!("cannot be queried: invalid host"))?);
        parts.path_and_query = parts.path_and_query.or_else(|| Some(ureq::http::uri::PathAndQuery::from_static("/")));
        let uri = Uri::from_parts(parts).map_err(|error| text!("cannot be queried: invalid address: {}", error))?;
        Ok(Target { uri, authorization: user.map(|user| basic(&user)), at })
    }
}

/// The header of basic authentication (RFC 7617) for `user:password` as written in an address (percent-encoded).
fn basic(user: &str) -> String {
    let mut credentials: Vec<u8> = percent_decode_str(user).collect();
    if !user.contains(':') {
        credentials.push(b':');
    }
    format!("Basic {}", BASE64_STANDARD.encode(credentials))
}

fn agent(timeout: Duration, roots: RootCerts) -> Agent {
    // No redirects: they may lead to another scheme or another host, and the user named only this one.
    Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .build()
        .into()
}

fn late(timeout: Duration) -> Text {
    text!("did not answer within {}", Time::describe(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX)))
}

fn received(sent: Result<Response<Body>, Error>, target: &Target, timeout: Duration) -> Result<Response<Body>, Text> {
    sent.map_err(|error| match error {
        Error::Timeout(_) => late(timeout),
        error => failure(&error, target.at.as_deref()),
    })
}

/// The body, as far as the limit; one byte more shows that it is larger.
fn read(response: &mut Response<Body>, timeout: Duration) -> Result<Vec<u8>, Text> {
    let mut bytes = Vec::new();
    let read = response.body_mut().as_reader().take(MAX_RESPONSE + 1).read_to_end(&mut bytes);
    read.map_err(|error| match Error::from(error) {
        Error::Timeout(_) => late(timeout),
        other => text!("stopped before the end of its response: {}", cause(&other)),
    })?;
    Ok(bytes)
}

fn describe(status: u16) -> String {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    reason.map_or_else(|| status.to_string(), |reason| format!("{status} {reason}"))
}

/// `at` says where.
fn failure(error: &Error, at: Option<&str>) -> Text {
    match (error, at) {
        (Error::Io(_) | Error::HostNotFound | Error::ConnectionFailed | Error::Tls(_) | Error::Rustls(_), Some(at)) => {
            text!("cannot be reached at `{}`: {}", at, cause(error))
        }
        (Error::Io(_) | Error::HostNotFound | Error::ConnectionFailed | Error::Tls(_) | Error::Rustls(_), None) => {
            text!("cannot be reached: {}", cause(error))
        }
        (Error::BadUri(_) | Error::Http(_) | Error::InvalidProxyUrl, _) => text!("cannot be queried: {}", cause(error)),
        (_, Some(at)) => text!("failed at `{}`: {}", at, cause(error)),
        (_, None) => text!("failed: {}", cause(error)),
    }
}

/// The innermost reason, which is the one the user can act on.
fn cause(error: &Error) -> Text {
    match error {
        Error::Io(error) => error.to_string().into(),
        Error::HostNotFound => text!("no such host"),
        other => other.to_string().into(),
    }
}

fn clipped(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(MAX_QUOTE).collect()
}
