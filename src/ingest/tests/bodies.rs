//! Bodies as they travel.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{ContentEncoding, decompress};

const LIMIT: usize = 1000;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn snappy(plain: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(plain).unwrap()
}

/// The length of what comes out, or why nothing does.
fn shown(encoding: ContentEncoding, body: &[u8]) -> String {
    match decompress(encoding, body, LIMIT) {
        Ok(plain) => plain.len().to_string(),
        Err(refusal) => format!("{:?} {} {}", refusal.why, refusal.code, refusal.message),
    }
}

#[test]
fn the_limit_is_for_what_comes_out() {
    let large = "TooLarge F9504 the body is larger than 1000 bytes";
    for length in [0, 1, LIMIT] {
        let plain = vec![b'x'; length];
        for (encoding, body) in
            [(ContentEncoding::Identity, plain.clone()), (ContentEncoding::Gzip, gzip(&plain)), (ContentEncoding::Snappy, snappy(&plain))]
        {
            assert_eq!(shown(encoding, &body), length.to_string(), "{encoding:?}");
        }
    }
    // A thousand times as large as it looks; the last one only says so.
    for length in [LIMIT + 1, LIMIT * 1000] {
        let plain = vec![b'x'; length];
        assert_eq!(shown(ContentEncoding::Identity, &plain), large);
        assert_eq!(shown(ContentEncoding::Gzip, &gzip(&plain)), large);
        assert_eq!(shown(ContentEncoding::Snappy, &snappy(&plain)), large);
    }
    assert_eq!(shown(ContentEncoding::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f]), large);
}

#[test]
fn what_is_not_compressed_like_that() {
    let (zipped, snapped) = (gzip(b"signals, signals"), snappy(b"signals, signals"));
    for (encoding, body) in [
        (ContentEncoding::Gzip, &b"{}"[..]),
        (ContentEncoding::Gzip, &b""[..]),
        (ContentEncoding::Gzip, &zipped[..zipped.len() - 1]),
        (ContentEncoding::Gzip, &snapped[..]),
        (ContentEncoding::Snappy, &b""[..]),
        (ContentEncoding::Snappy, &snapped[..snapped.len() - 1]),
        (ContentEncoding::Snappy, &zipped[..]),
    ] {
        let found = shown(encoding, body);
        assert!(found.starts_with("Malformed F4001 the body is not compressed with "), "{encoding:?} {body:?}: {found}");
    }
}
