//! SHA-256 (FIPS 180-4): of bytes, and of what passes through a writer.

use crate::error::{Error, Result};
use sha2::Digest as _;
use std::fmt;
use std::io::Write;
use std::str::FromStr;

/// A SHA-256 digest; shown as 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(
    /// Its bytes.
    pub [u8; 32],
);

impl Digest {
    /// Returns the digest of bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Digest> {
        let fault = || Error::failed(format!("{text:?} is not a SHA-256 digest")).with_hint("64 lower-case hex digits");
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(fault());
        }
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| fault())?;
        }
        Ok(Digest(bytes))
    }
}

/// Returns bytes as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
        text
    })
}

/// What identifies the bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixity {
    /// Number of bytes.
    pub size: u64,
    /// Their digest.
    pub digest: Digest,
}

impl Fixity {
    /// Returns that of bytes.
    pub fn of(bytes: &[u8]) -> Fixity {
        Fixity { size: bytes.len() as u64, digest: Digest::of(bytes) }
    }
}

/// Counts and digests what is written through it.
#[derive(Debug)]
pub struct Digesting<W> {
    inner: W,
    sha256: sha2::Sha256,
    size: u64,
}

impl<W> Digesting<W> {
    /// Starts over a writer.
    pub fn new(inner: W) -> Digesting<W> {
        Digesting { inner, sha256: sha2::Sha256::new(), size: 0 }
    }

    /// Returns the number of bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the writer, and what went through.
    pub fn end(self) -> (W, Fixity) {
        (self.inner, Fixity { size: self.size, digest: Digest(self.sha256.finalize().into()) })
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.sha256.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_standards_example() {
        // FIPS 180-4, the one-block message sample.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").to_string(), abc);
        assert_eq!(abc.parse::<Digest>().unwrap(), Digest::of(b"abc"));
        let mut writer = Digesting::new(Vec::new());
        writer.write_all(b"ab").unwrap();
        writer.write_all(b"c").unwrap();
        assert_eq!(writer.end(), (b"abc".to_vec(), Fixity { size: 3, digest: Digest::of(b"abc") }));
        for bad in ["", &abc[1..], &abc.to_uppercase(), &abc.replace('b', "é")] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
