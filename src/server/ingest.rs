//! Requests of senders: to the live part and back, with the codes that each sender understands.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use diag::{Code, text};
use ingest::{Outcome, Protocol, Refusal, Route, Why, answer, route};
use live::{Receipt, Refused, Request};
use value::Time;

use super::AppState;
use super::request::now;

/// The largest body as sent, in bytes. After decompression each path has a limit of its own.
pub const MAX_BODY: usize = 16 << 20;

/// After how many seconds a sender may try again when too much waits.
const RETRY: u32 = 5;

/// Answers once the request is on disk.
pub async fn take(State(served): State<Arc<AppState>>, uri: Uri, headers: HeaderMap, sent: Result<Bytes, BytesRejection>) -> Response {
    let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let route = match route(uri.path(), header(CONTENT_TYPE), header(CONTENT_ENCODING)) {
        Some(Ok(route)) => route,
        Some(Err(refusal)) => return respond(answer(Protocol::Webhook, Outcome::Refused(&refusal))),
        None => return StatusCode::NOT_FOUND.into_response(),
    };
    let body = match sent {
        Ok(body) => body.to_vec(),
        Err(rejection) => return respond(answer(route.protocol, Outcome::Refused(&unread(&rejection)))),
    };
    match hand_over(&served, route, body, now()).await {
        Some(Ok(Receipt { taken, .. })) => respond(answer(route.protocol, Outcome::Taken(&taken))),
        Some(Err(Refused::Unreadable(refusal))) => respond(answer(route.protocol, Outcome::Refused(&refusal))),
        Some(Err(Refused::NotWritten(_) | Refused::Stopping)) | None => respond(answer(route.protocol, Outcome::Overloaded(RETRY))),
    }
}

/// Hands a request to the live part, and waits until it is on disk or refused. `None`: too much waits.
pub async fn hand_over(served: &AppState, route: Route, body: Vec<u8>, received: Time) -> Option<Result<Receipt, Refused>> {
    let (done, outcome) = tokio::sync::oneshot::channel();
    let request = Request {
        protocol: route.protocol,
        encoding: route.encoding,
        limit: route.limit,
        body,
        received,
        // Fails if the sender has left: what it sent is kept all the same.
        done: Box::new(move |outcome| drop(done.send(outcome))),
    };
    served.live.submit(request).ok()?;
    // Without an answer the server is stopping.
    Some(outcome.await.unwrap_or(Err(Refused::Stopping)))
}

/// What the sender of a request understands as "again, later".
pub fn overloaded(uri: &Uri, headers: &HeaderMap) -> Response {
    let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let protocol = match route(uri.path(), header(CONTENT_TYPE), header(CONTENT_ENCODING)) {
        Some(Ok(route)) => route.protocol,
        Some(Err(_)) | None => Protocol::Webhook,
    };
    respond(answer(protocol, Outcome::Overloaded(RETRY)))
}

fn unread(rejection: &BytesRejection) -> Refusal {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Refusal::new(Why::TooLarge, Code::BODY_SIZE, text!("the body is larger than {} MiB", MAX_BODY >> 20));
    }
    Refusal::malformed(text!("cannot read the body: {}", rejection.body_text()))
}

fn respond(answer: ingest::Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, answer.body).into_response();
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}
