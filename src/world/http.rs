//! Asking others over HTTP and HTTPS: bounded in time and size, and only at the address that was given.
//!
//! Certificates are held against the store of the operating system (on Linux `/etc/ssl/certs`, or what `SSL_CERT_FILE` and
//! `SSL_CERT_DIR` name). Proxies of the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`) are used.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use reqwest::Url;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::redirect::Policy;

use crate::value::Time;

/// The largest answer that is read, in bytes: scores of a thousand series are a tenth of a mebibyte, so what is larger is something else.
pub const MAX_ANSWER: u64 = 16 << 20;

/// More of an answer that is an error, in characters, tells a person nothing more.
const MAX_WORDS: usize = 200;

/// Fetches what lies at an address. `timeout` counts from connecting to the last byte of the answer.
///
/// # Errors
/// In words that go on after the name of who was asked: `cannot be reached: connection refused`.
pub fn get(url: &str, timeout: Duration) -> Result<Vec<u8>, String> {
    let (client, url) = client(url)?;
    answer(client.get(url.clone()), &url, timeout)
}

/// Sends JSON, and reads the answer. `timeout` as of [`get`]; `headers` are sent besides `content-type`.
///
/// # Errors
/// As of [`get`].
pub fn post_json(url: &str, headers: &BTreeMap<String, String>, body: &[u8], timeout: Duration) -> Result<Vec<u8>, String> {
    let (client, url) = client(url)?;
    let mut request = client.post(url.clone()).header("content-type", "application/json").body(body.to_vec());
    for (name, value) in headers {
        request = request.header(name.as_str(), value.as_str());
    }
    answer(request, &url, timeout)
}

fn client(url: &str) -> Result<(Client, Url), String> {
    let url = Url::parse(url).map_err(|error| format!("cannot be asked: its address is wrong: {error}"))?;
    let plain = match url.scheme() {
        "http" => true,
        "https" => false,
        other => return Err(format!("cannot be asked: `{other}` is neither http nor https")),
    };
    // A second installation is refused and does no harm: it would be the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // No redirects: who is asked is who was named. Another address may be another scheme or another host.
    let mut builder = Client::builder().redirect(Policy::none());
    if plain {
        // Without this, a machine without any certificates could not even ask without encryption.
        builder = builder.tls_certs_only(std::iter::empty::<reqwest::Certificate>());
    }
    let client = builder.build().map_err(|error| format!("cannot be asked: {}", cause(&error)))?;
    Ok((client, url))
}

fn answer(request: RequestBuilder, url: &Url, timeout: Duration) -> Result<Vec<u8>, String> {
    let late = || format!("did not answer within {}", Time::describe(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX)));
    let said = request.timeout(timeout).send();
    let mut said = said.map_err(|error| if error.is_timeout() { late() } else { failure(&error, url) })?;
    let status = said.status();
    if status.is_redirection() {
        let to = said.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or("somewhere else");
        return Err(format!("sends on to `{}` (status {}): name that address itself", clipped(to), status.as_u16()));
    }
    let body = body(&mut said).map_err(|error| if timed_out(&error) { late() } else { format!("broke off: {}", cause(&error)) })?;
    if !status.is_success() {
        let words = clipped(String::from_utf8_lossy(&body).lines().next().unwrap_or(""));
        let words = if words.is_empty() { String::new() } else { format!(": {words}") };
        return Err(format!("answers with status {status}{words}"));
    }
    if u64::try_from(body.len()).unwrap_or(u64::MAX) > MAX_ANSWER {
        return Err(format!("answers with more than {} MiB", MAX_ANSWER >> 20));
    }
    Ok(body)
}

/// At most one byte more than is allowed.
fn body(said: &mut Response) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    said.take(MAX_ANSWER + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// An error while a body is read has that of the client inside.
fn timed_out(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<reqwest::Error>());
    error.kind() == std::io::ErrorKind::TimedOut || inner.is_some_and(reqwest::Error::is_timeout)
}

fn failure(error: &reqwest::Error, url: &Url) -> String {
    let place = format!("{}:{}", url.host_str().unwrap_or("?"), url.port_or_known_default().unwrap_or(0));
    if error.is_builder() {
        return format!("cannot be asked: {}", cause(error));
    }
    if error.is_connect() {
        return format!("cannot be reached at `{place}`: {}", cause(error));
    }
    format!("broke off at `{place}`: {}", cause(error))
}

/// The innermost reason, which is the one that a person can do something about.
fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    innermost.to_string()
}

fn clipped(words: &str) -> String {
    words.trim().chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect()
}
