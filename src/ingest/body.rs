//! Bodies as they travel: compressed, and no larger than allowed once they are not.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use diag::{Code, Text, text};

use super::refusal::{Refusal, Why};

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentEncoding {
    Identity,
    Gzip,
    /// One block, without frames: what Prometheus and Loki call `snappy`.
    Snappy,
}

/// The body as the protocol defines it, of at most `limit` bytes.
///
/// # Errors
/// It is not compressed like that, or larger than the limit.
pub fn decompress(encoding: ContentEncoding, body: &[u8], limit: usize) -> Result<Cow<'_, [u8]>, Refusal> {
    match encoding {
        ContentEncoding::Identity if body.len() > limit => Err(too_large(limit)),
        ContentEncoding::Identity => Ok(Cow::Borrowed(body)),
        ContentEncoding::Gzip => gunzip(body, limit).map(Cow::Owned),
        ContentEncoding::Snappy => unsnap(body, limit).map(Cow::Owned),
    }
}

fn gunzip(body: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut plain = Vec::new();
    // One byte more tells a body that ends at the limit from one that goes on.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(body).take(most).read_to_end(&mut plain);
    if plain.len() > limit {
        return Err(too_large(limit));
    }
    read.map_err(|error| undone("gzip", &text!("{}", error)))?;
    Ok(plain)
}

fn unsnap(body: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    let failed = |error: snap::Error| undone("snappy", &text!("{}", error));
    // The block says how long it will be, so that a bomb costs nothing.
    if snap::raw::decompress_len(body).map_err(failed)? > limit {
        return Err(too_large(limit));
    }
    snap::raw::Decoder::new().decompress_vec(body).map_err(failed)
}

fn undone(encoding: &str, reason: &Text) -> Refusal {
    Refusal::malformed(text!("the body is not compressed with {}: {}", encoding, reason))
}

fn too_large(limit: usize) -> Refusal {
    let message = if limit.is_multiple_of(1 << 20) {
        text!("the body is larger than {} MiB", limit >> 20)
    } else {
        text!("the body is larger than {} bytes", limit)
    };
    Refusal { help: Some(text!("send smaller batches")), ..Refusal::new(Why::TooLarge, Code::BODY_SIZE, message) }
}
