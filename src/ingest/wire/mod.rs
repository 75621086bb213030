//! The messages of protobuf that senders use, with the fields that are read only: others are skipped.

pub mod loki;
pub mod otlp;
pub mod prometheus;
mod shape;

use prost::Message;

use diag::text;

use super::refusal::Refusal;
pub use shape::{MAX_ENTRIES, Shape};

/// The message of a body. Its parts are counted before memory is taken for them: empty ones need two bytes in the body and a hundred here.
///
/// # Errors
/// It is no such message, or has more than [`MAX_ENTRIES`] parts.
pub fn decode<M: Message + Default>(body: &[u8], shape: Shape) -> Result<M, Refusal> {
    shape.check(body)?;
    M::decode(body).map_err(|error| Refusal::malformed(text!("this is no message of this protocol: {}", error)))
}

/// Text as senders write it: what is not UTF-8 shows as such.
pub fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
