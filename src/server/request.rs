//! What handlers share: reading a request, and working off the threads that serve.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};

use diag::Code;
use value::Time;

use super::refusal::Refusal;

/// Refuses other content types: a web page in a browser may send a form or plain text to any address, but not JSON.
pub fn accepts(headers: &HeaderMap, kinds: &[&str]) -> Result<(), Refusal> {
    let given = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
    let kind = given.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if kinds.contains(&kind.as_str()) {
        return Ok(());
    }
    let found = if kind.is_empty() { "the request has no `content-type`".to_owned() } else { format!("unsupported content type `{kind}`") };
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::BODY_TYPE, found)
        .help(format!("send the header `content-type: {}`", kinds.join("` or `"))))
}

/// The whole body, or why it cannot be read.
pub fn body(sent: Result<Bytes, BytesRejection>, limit: usize) -> Result<Bytes, Refusal> {
    sent.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let message = format!("the body is larger than {} MiB", limit >> 20);
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::BODY_SIZE, message).help("split it into several requests")
        } else {
            Refusal::request(format!("cannot read the body: {}", rejection.body_text()))
        }
    })
}

/// Runs work that computes, or waits for a disk or another server, on a thread where it does not block other requests.
pub async fn spawn_blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::broken("internal error while handling the request").help("please report this bug with the request")),
    }
}

/// Parses a time in the format of the command line.
pub fn time(text: &str) -> Result<Time, Refusal> {
    Time::parse(text).ok_or_else(|| {
        Refusal::request(format!("invalid time `{text}`")).help("use RFC 3339, like `2025-06-01T10:00:00Z`; in a URL, write `+` as `%2B`")
    })
}

pub fn now() -> Time {
    Time(jiff::Timestamp::now().as_millisecond())
}
