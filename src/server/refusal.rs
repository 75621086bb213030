//! Error responses: a status, a code, a message, and how to fix the problem.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use diag::{Code, Diagnostic};

use super::reply::Json;

/// An error response. The refused request has changed nothing.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub code: Code,
    pub message: String,
    pub help: Option<String>,
    /// The rejected entries, if they are the reason.
    pub rejected: Vec<Value>,
}

impl Refusal {
    pub fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Refusal { status, code, message: message.into(), help: None, rejected: Vec::new() }
    }

    /// A request that cannot be read at all.
    pub fn request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::REQUEST, message)
    }

    /// A request that can be read, but contains nothing usable.
    pub fn unusable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, Code::UNUSABLE, message)
    }

    /// An internal error: a different request would not help.
    pub fn broken(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::REQUEST, message)
    }

    /// The error of a reader, with a status given by the caller.
    pub fn of(status: StatusCode, diagnostic: &Diagnostic) -> Self {
        let refusal = Self::new(status, diagnostic.code, diagnostic.message.to_string());
        Refusal { help: diagnostic.help.as_ref().map(ToString::to_string), ..refusal }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut error = json!({"code": self.code.0, "message": self.message});
        if let Some(help) = self.help {
            set(&mut error, "help", json!(help));
        }
        if !self.rejected.is_empty() {
            set(&mut error, "rejected", json!(self.rejected));
        }
        (self.status, Json(json!({"error": error}))).into_response()
    }
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}
