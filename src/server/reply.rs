//! The body of a response.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use diag::visible;

/// JSON in one line. Control characters, and those that change the direction of text, are escaped as in the output of the commands:
/// whoever shows a response in a terminal shows text of others. It reads as the same text.
#[derive(Debug)]
pub struct Json(pub Value);

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], visible(&self.0.to_string()).into_owned()).into_response()
    }
}
