//! The request for a time-stamp token over an envelope (RFC 3161 §2.4.1), as an authority takes it.
//!
//! Written, not sent; tokens are not verified here (`openssl ts -verify` does). Without a nonce, so that the same envelope has the
//! same request.

use super::digest::Digest;

/// `TimeStampReq` up to the digest: version 1; SHA-256 (2.16.840.1.101.3.4.2.1, NULL); an octet string of 32 bytes.
const HEAD: [u8; 24] =
    [0x30, 0x39, 2, 1, 1, 0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 5, 0, 4, 0x20];
/// After it: `certReq` TRUE, so that the token carries the authority's certificate.
const TAIL: [u8; 3] = [1, 1, 0xff];

/// Returns the request (DER) for a token over the bytes that have this digest.
pub fn request(digest: Digest) -> Vec<u8> {
    [&HEAD[..], &digest.0, &TAIL].concat()
}

/// Returns whether a reply could be about the bytes that have this digest: whether it holds it. Nothing more is checked.
pub fn names(reply: &[u8], digest: Digest) -> bool {
    reply.windows(digest.0.len()).any(|window| window == digest.0)
}
