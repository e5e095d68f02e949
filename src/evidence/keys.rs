//! Ed25519 keys (RFC 8032) in files that OpenSSL reads, and who signs: a key file, or a command that has the key.
//!
//! Private keys are PKCS#8 (RFC 8410), public keys SubjectPublicKeyInfo, both PEM.

use super::canonical;
use super::digest::hex;
use crate::error::{Error, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Most bytes of a key file; one of Ed25519 has less than 200.
const KEY_BYTES_MAX: u64 = 16 << 10;
/// Bytes of a signature.
const SIGNATURE_BYTES: usize = 64;
/// Of what a failed command wrote to stderr, so many characters are shown.
const COMPLAINT_CHARS_MAX: usize = 400;

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// If it cannot be read, or is not the public key of an Ed25519 pair.
    pub fn read(path: &Path) -> Result<PublicKey> {
        let text = read_text(path)?;
        let fault = || Error::failed("not an Ed25519 public key (PEM)").at(path.display().to_string());
        if text.contains("PRIVATE KEY-----") {
            let hint = "this is a private key: give the public one, PATH.pub, or make it with openssl pkey -in PATH -pubout";
            return Err(fault().with_hint(hint));
        }
        let key = VerifyingKey::from_public_key_pem(text.trim_ascii_end());
        let key =
            key.map_err(|error| fault().caused_by(error.to_string()).with_hint("openssl pkey -pubin -in FILE -text shows what it is"))?;
        // Such a key would have signatures that fit any message.
        if key.is_weak() {
            return Err(fault().caused_by("its point has a small order"));
        }
        Ok(PublicKey(key))
    }

    /// Returns it as PEM, in the one form that OpenSSL writes too.
    ///
    /// # Errors
    /// If it cannot be encoded, which a valid key never shows.
    pub fn to_pem(&self) -> Result<String> {
        self.0.to_public_key_pem(LineEnding::LF).map_err(|error| Error::failed("cannot encode a public key").caused_by(error.to_string()))
    }

    /// Returns the key's id as the securesystemslib of in-toto and TUF computes it: the digest of the key as canonical JSON.
    ///
    /// # Errors
    /// Never with a valid key.
    pub fn id(&self) -> Result<String> {
        let public = hex(self.0.as_bytes());
        Ok(canonical::digest(&json!({ "keytype": "ed25519", "keyval": { "public": public }, "scheme": "ed25519" }))?.to_string())
    }

    /// Returns whether a signature over a message is this key's. Stricter than RFC 8032 asks: only the canonical form of a
    /// signature counts, so that a changed bit is seen.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

/// A private key with its public one.
#[derive(Debug, Clone)]
pub struct KeyPair(SigningKey);

impl KeyPair {
    /// Makes a pair from the randomness of the operating system.
    ///
    /// # Errors
    /// If that has none.
    pub fn generate() -> Result<KeyPair> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| Error::failed("the operating system gives no randomness").caused_by(error))?;
        Ok(KeyPair(SigningKey::from_bytes(&seed)))
    }

    /// Reads a PKCS#8 PEM file, such as [`KeyPair::write`] or `openssl genpkey -algorithm ed25519` makes.
    ///
    /// # Errors
    /// If it cannot be read, is encrypted, or is no Ed25519 key.
    pub fn read(path: &Path) -> Result<KeyPair> {
        let text = read_text(path)?;
        let fault = || Error::failed("not an Ed25519 private key (PKCS#8 PEM)").at(path.display().to_string());
        if text.contains("ENCRYPTED PRIVATE KEY-----") {
            return Err(fault().with_hint("encrypted keys are not read: sign with a command that asks for the passphrase"));
        }
        let key = SigningKey::from_pkcs8_pem(text.trim_ascii_end());
        Ok(KeyPair(key.map_err(|error| fault().caused_by(error.to_string()).with_hint("flowproof evidence keygen PATH makes one"))?))
    }

    /// Writes the private key to `path`, for its owner only, and the public one to `path` + `.pub`; returns the latter's path.
    ///
    /// # Errors
    /// If one of the files exists (a key is never overwritten), or cannot be written.
    pub fn write(&self, path: &Path) -> Result<PathBuf> {
        // Version 1, without the public key: OpenSSL 3.0 does not read RFC 5958's version 2.
        let private = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        let pem = private.to_pkcs8_pem(LineEnding::LF);
        let pem = pem.map_err(|error| Error::failed("cannot encode a private key").caused_by(error.to_string()))?;
        let mut public_path = path.as_os_str().to_owned();
        public_path.push(".pub");
        let public_path = PathBuf::from(public_path);
        // The public one first: if it exists, no private key is left behind without it.
        write_new(&public_path, self.public().to_pem()?.as_bytes(), 0o644)?;
        if let Err(error) = write_new(path, pem.as_bytes(), 0o600) {
            let _ = std::fs::remove_file(&public_path);
            return Err(error);
        }
        Ok(public_path)
    }

    /// Returns the public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs a message. Ed25519 is deterministic: the same message has the same signature.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(message).to_bytes()
    }
}

/// Who signs.
#[derive(Debug, Clone)]
pub enum Signer {
    /// A key that was read from a file.
    KeyFile(KeyPair),
    /// A command that has the key, for KMS and HSM. `sh -c` runs it with the message on stdin; it writes the Ed25519 signature to
    /// stdout, as 64 bytes or in base64.
    Command {
        /// The command line.
        command: String,
        /// The public key that its signatures are checked with.
        public: PublicKey,
    },
}

impl Signer {
    /// Returns the public key.
    pub fn public(&self) -> PublicKey {
        match self {
            Signer::KeyFile(pair) => pair.public(),
            Signer::Command { public, .. } => public.clone(),
        }
    }

    /// Signs a message, and checks the signature with the public key.
    ///
    /// # Errors
    /// If the command fails, writes no signature, or that of another key or message.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES]> {
        let signature = match self {
            Signer::KeyFile(pair) => pair.sign(message),
            Signer::Command { command, .. } => signature_of(&run(command, message)?).ok_or_else(|| {
                let error = Error::failed("the signing command wrote no Ed25519 signature").at(command.clone());
                error.with_hint("64 bytes, or base64 of them, on stdout; the message on stdin is to be signed as it is, not its digest")
            })?,
        };
        if !self.public().verifies(message, &signature) {
            let error = Error::failed("the signature is not one of the given public key");
            return Err(error.with_hint("the public key must be that of the key that signs, and the message be signed as it is"));
        }
        Ok(signature)
    }
}

fn signature_of(output: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
    if let Ok(raw) = output.try_into() {
        return Some(raw);
    }
    let text: Vec<u8> = output.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(text).ok()?.try_into().ok()
}

fn run(command: &str, message: &[u8]) -> Result<Vec<u8>> {
    let fault = |what: &str| Error::failed(format!("the signing command {what}")).at(command.to_owned());
    let started = Command::new("sh").args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| fault("does not start").caused_by(error))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // Beside reading, so that a command that answers before it has read all does not wait for us for ever. One that closes its
        // stdin early is judged by its answer.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(message)));
        child.wait_with_output()
    });
    let output = output.map_err(|error| fault("cannot be waited for").caused_by(error))?;
    if !output.status.success() {
        let complaint: String = String::from_utf8_lossy(&output.stderr).trim().chars().take(COMPLAINT_CHARS_MAX).collect();
        let error = fault(&format!("failed ({})", output.status));
        return Err(if complaint.is_empty() { error } else { error.caused_by(complaint) });
    }
    Ok(output.stdout)
}

fn read_text(path: &Path) -> Result<String> {
    let fault = |error: std::io::Error| Error::failed("cannot read the key").at(path.display().to_string()).caused_by(error);
    let mut text = String::new();
    std::fs::File::open(path).map_err(fault)?.take(KEY_BYTES_MAX).read_to_string(&mut text).map_err(fault)?;
    Ok(text)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let fault = |error: std::io::Error| {
        let exists = error.kind() == std::io::ErrorKind::AlreadyExists;
        let error = Error::failed("cannot write the key").at(path.display().to_string()).caused_by(error);
        if exists { error.with_hint("keys are never overwritten: choose another path, or move this file away") } else { error }
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(fault)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::digest::Digest;

    /// RFC 8032 §7.1, test 2: seed, public key, signature over the one byte 0x72.
    const SEED: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    const PUBLIC: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    const SIGNATURE: &str =
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    fn pair() -> KeyPair {
        KeyPair(SigningKey::from_bytes(&SEED.parse::<Digest>().unwrap().0))
    }

    #[test]
    fn signs_as_the_standard_says() {
        assert_eq!(hex(pair().0.verifying_key().as_bytes()), PUBLIC);
        let signature = pair().sign(&[0x72]);
        assert_eq!(hex(&signature), SIGNATURE);
        assert!(pair().public().verifies(&[0x72], &signature));
        assert!(!pair().public().verifies(&[0x73], &signature));
        assert!(!pair().public().verifies(&[0x72], &signature[..63]));
    }

    #[test]
    fn its_id_is_that_of_securesystemslib() {
        let text = format!("{{\"keytype\":\"ed25519\",\"keyval\":{{\"public\":\"{PUBLIC}\"}},\"scheme\":\"ed25519\"}}");
        assert_eq!(pair().public().id().unwrap(), Digest::of(text.as_bytes()).to_string());
    }

    #[test]
    fn files_are_the_owners_and_never_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.key");
        let public = pair().write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(KeyPair::read(&path).unwrap().sign(b"x"), pair().sign(b"x"));
        assert_eq!(PublicKey::read(&public).unwrap(), pair().public());

        let before = std::fs::read(&path).unwrap();
        let other = KeyPair::generate().unwrap();
        assert!(other.write(&path).unwrap_err().hint().unwrap().contains("never overwritten"));
        std::fs::remove_file(&public).unwrap();
        assert!(other.write(&path).is_err());
        assert!(!public.exists(), "no public key without its private one");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert!(PublicKey::read(&path).unwrap_err().hint().unwrap().contains("private"));
    }

    #[test]
    fn a_command_may_answer_in_both_ways_and_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("signature");
        let signer = |command: String| Signer::Command { command, public: pair().public() };
        let prints = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            signer(format!("cat > /dev/null; cat {}", file.display())).sign(&[0x72])
        };
        let right = pair().sign(&[0x72]);
        assert_eq!(prints(&right).unwrap(), right);
        assert_eq!(prints(format!(" {}\n", BASE64_STANDARD.encode(right)).as_bytes()).unwrap(), right);
        let told = |answer: Result<[u8; 64]>| answer.unwrap_err().to_string();
        assert!(told(prints(b"")).contains("wrote no Ed25519 signature"));
        assert!(told(prints(&pair().sign(b"other"))).contains("not one of the given public key"));
        let failed = told(signer("echo the slot is locked >&2; exit 3".to_owned()).sign(&[0x72]));
        assert!(failed.contains("exit status: 3") && failed.contains("the slot is locked"), "{failed}");
    }
}
