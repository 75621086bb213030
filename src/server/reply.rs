//! The body of a response.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, WARNING};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use diag::visible;

use super::AppState;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Text,
    Markdown,
}

impl Format {
    /// The names that a request may use.
    pub const NAMES: [(&str, Format); 3] = [("json", Format::Json), ("text", Format::Text), ("markdown", Format::Markdown)];
}

/// A page for people. Control characters are escaped, as in [`Json`].
#[derive(Debug)]
pub struct Page(pub Format, pub String);

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let kind = match self.0 {
            Format::Markdown => "text/markdown; charset=utf-8",
            Format::Text | Format::Json => "text/plain; charset=utf-8",
        };
        ([(CONTENT_TYPE, kind)], visible(&self.1).into_owned()).into_response()
    }
}

/// JSON in one line. Control characters, and those that change the direction of text, are escaped as in the output of the commands:
/// whoever shows a response in a terminal shows text of others. It reads as the same text.
#[derive(Debug)]
pub struct Json(pub Value);

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], visible(&self.0.to_string()).into_owned()).into_response()
    }
}

/// Says with every answer, also one whose shape has no room for it, what its reader must know about the rules and models behind it.
pub async fn warn(State(served): State<Arc<AppState>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for note in served.reloader.note().into_iter().chain(served.models.note()) {
        if let Ok(warning) = HeaderValue::from_str(&format!("299 faultscope \"{note}\"")) {
            response.headers_mut().append(WARNING, warning);
        }
    }
    response
}
