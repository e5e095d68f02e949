//! The Dead Simple Signing Envelope (DSSE 1.0.2): a payload with its type, and a signature over both.
//!
//! What is parsed are the very bytes that were verified. Readers must take both alphabets of base64, and unknown keys; a bundle's
//! envelope is held to more: it must be written as [`Envelope::to_bytes`] writes it, so that no byte of it is free to change.

use super::canonical;
use super::keys::{PublicKey, Signer};
use crate::error::{Error, Result};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use serde::{Deserialize, Serialize};

/// A signed payload, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Base64 of the payload.
    pub payload: String,
    /// What the payload is; signed with it.
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// Signatures over both.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeSignature {
    /// Which key it is said to be of; a hint, itself not signed.
    #[serde(default)]
    pub keyid: String,
    /// Base64 of the signature.
    pub sig: String,
}

impl Envelope {
    /// Signs a payload.
    ///
    /// # Errors
    /// If the signer fails.
    pub fn sign(payload_type: &str, payload: &[u8], signer: &Signer) -> Result<Envelope> {
        let signature = signer.sign(&pae(payload_type, payload))?;
        Ok(Envelope {
            // The standard alphabet: `base64 -d` of coreutils reads no other.
            payload: BASE64_STANDARD.encode(payload),
            payload_type: payload_type.to_owned(),
            signatures: vec![EnvelopeSignature { keyid: signer.public().id()?, sig: BASE64_STANDARD.encode(signature) }],
        })
    }

    /// Returns it as a bundle has it: canonical JSON and a line feed.
    ///
    /// # Errors
    /// Never: it holds text only.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = canonical::to_bytes(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Returns whether payload and signatures are in the standard alphabet, padded, without spare bits: as they are written here.
    pub fn has_canonical_base64(&self) -> bool {
        let texts = std::iter::once(&self.payload).chain(self.signatures.iter().map(|signature| &signature.sig));
        texts.into_iter().all(|text| BASE64_STANDARD.decode(text).is_ok_and(|bytes| BASE64_STANDARD.encode(bytes) == *text))
    }

    /// Reads an envelope, trusting nothing of it.
    ///
    /// # Errors
    /// If it is not an envelope.
    pub fn parse(bytes: &[u8]) -> Result<Envelope> {
        serde_json::from_slice(bytes).map_err(|error| Error::failed("not a DSSE envelope").caused_by(error))
    }

    /// Returns the payload if it has the type, and one of the signatures is the key's.
    ///
    /// # Errors
    /// With what does not fit.
    pub fn verify(&self, payload_type: &str, key: &PublicKey) -> Result<Vec<u8>> {
        if self.payload_type != payload_type {
            return Err(Error::failed(format!("the payload type is {:?} instead of {payload_type:?}", self.payload_type)));
        }
        let payload = decode(&self.payload).ok_or_else(|| Error::failed("the payload is not base64"))?;
        let message = pae(&self.payload_type, &payload);
        let mut signatures = self.signatures.iter().filter_map(|signature| decode(&signature.sig));
        match signatures.any(|signature| key.verifies(&message, &signature)) {
            true => Ok(payload),
            false => Err(Error::failed("the signature is not the key's over this content")),
        }
    }
}

/// Returns what is signed: the pre-authentication encoding of type and payload.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).or_else(|_| BASE64_URL_SAFE.decode(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::keys::KeyPair;

    const TYPE: &str = "http://example.com/HelloWorld";

    #[test]
    fn what_is_signed_is_the_specifications() {
        assert_eq!(pae(TYPE, b"hello world"), b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        // Lengths count bytes, not characters.
        assert_eq!(pae("é", "ü".as_bytes()), "DSSEv1 2 é 2 ü".as_bytes());
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    }

    #[test]
    fn only_the_keys_signature_over_this_type_and_content_counts() {
        let pair = KeyPair::generate().unwrap();
        let envelope = Envelope::sign(TYPE, b"hello world?>", &Signer::KeyFile(pair.clone())).unwrap();
        let key = pair.public();
        assert_eq!(envelope.verify(TYPE, &key).unwrap(), b"hello world?>");
        assert_eq!(Envelope::parse(&envelope.to_bytes().unwrap()).unwrap(), envelope);

        let told = |envelope: &Envelope, kind: &str, key: &PublicKey| envelope.verify(kind, key).unwrap_err().to_string();
        assert!(told(&envelope, "text/plain", &key).contains("the payload type is"));
        assert!(told(&envelope, TYPE, &KeyPair::generate().unwrap().public()).contains("signature"));
        let retyped = Envelope { payload_type: "text/plain".to_owned(), ..envelope.clone() };
        assert!(told(&retyped, "text/plain", &key).contains("signature"));
        let other = Envelope { payload: BASE64_STANDARD.encode("hello world!"), ..envelope.clone() };
        assert!(told(&other, TYPE, &key).contains("signature"));
        let unsigned = Envelope { signatures: Vec::new(), ..envelope.clone() };
        assert!(told(&unsigned, TYPE, &key).contains("signature"));

        // Both alphabets, unknown keys, a second signature and no key id are other writers' right.
        let mut foreign = envelope.clone();
        foreign.payload = BASE64_URL_SAFE.encode("hello world?>");
        assert_ne!(foreign.payload, envelope.payload);
        foreign.signatures.insert(0, EnvelopeSignature { keyid: String::new(), sig: "AAAA".to_owned() });
        let mut json = serde_json::to_value(&foreign).unwrap();
        json["note"] = "unknown".into();
        json["signatures"][1].as_object_mut().unwrap().remove("keyid");
        assert_eq!(Envelope::parse(json.to_string().as_bytes()).unwrap().verify(TYPE, &key).unwrap(), b"hello world?>");
    }
}
