//! Secrets of webhooks and what is signed with them, as Standard Webhooks has it. Pure.

use crate::clock::{Entropy, Micros, SECOND};
use crate::model::ids::{TenantId, WebhookId};
use crate::secret::{KeyRing, OpenError, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;

/// A new secret, as its receiver is told it.
pub fn generate(entropy: &Entropy) -> Secret<String> {
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(entropy.bytes::<SECRET_BYTES>())))
}

fn place(tenant: &TenantId, id: &WebhookId) -> String {
    format!("webhook {tenant} {id}")
}

pub fn seal(secret: &Secret<String>, tenant: &TenantId, id: &WebhookId, keys: &KeyRing, entropy: &Entropy) -> Vec<u8> {
    keys.seal(secret.expose().as_bytes(), &place(tenant, id), entropy)
}

/// The bytes that sign.
///
/// # Errors
/// It was sealed with another key, or for another webhook.
pub fn open(sealed: &[u8], tenant: &TenantId, id: &WebhookId, keys: &KeyRing) -> Result<Secret<Vec<u8>>, OpenError> {
    let opened = keys.open(sealed, &place(tenant, id))?;
    let text = std::str::from_utf8(opened.expose()).map_err(|_| OpenError::Form)?;
    let key = STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text)).map_err(|_| OpenError::Form)?;
    Ok(Secret::new(key))
}

/// The three headers. One signature for each key: whoever still has the former secret finds theirs.
pub fn headers(keys: &[Secret<Vec<u8>>], event: &str, now: Micros, body: &[u8]) -> Vec<(&'static str, String)> {
    let timestamp = (now / SECOND).to_string();
    let signatures: Vec<String> = keys.iter().map(|key| sign(key, event, &timestamp, body)).collect();
    vec![("webhook-id", event.to_owned()), ("webhook-timestamp", timestamp), ("webhook-signature", signatures.join(" "))]
}

fn sign(key: &Secret<Vec<u8>>, event: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.expose()).expect("HMAC takes keys of any length");
    mac.update(event.as_bytes());
    mac.update(b".");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_signs_what_the_specification_signs() {
        // The example of the specification.
        let key = Secret::new(STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64"));
        let headers = headers(
            std::slice::from_ref(&key),
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330 * SECOND,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(headers[1], ("webhook-timestamp", "1614265330".to_owned()));
        assert_eq!(headers[2], ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned()));
    }

    #[test]
    fn a_secret_opens_for_its_own_webhook_alone_and_two_sign_while_one_goes() {
        let (keys, entropy) = (KeyRing::new(Secret::new([1; 32]), None), Entropy::system());
        let (tenant, id) = (TenantId::new("t"), WebhookId::new("wh_1"));
        let secret = generate(&entropy);
        assert!(secret.expose().starts_with("whsec_"));
        let sealed = seal(&secret, &tenant, &id, &keys, &entropy);
        let key = open(&sealed, &tenant, &id, &keys).expect("opens");
        assert_eq!(key.expose().len(), SECRET_BYTES);
        assert!(open(&sealed, &tenant, &WebhookId::new("wh_2"), &keys).is_err());
        let both = headers(&[key.clone(), Secret::new(vec![7; 32])], "e", 0, b"{}");
        assert_eq!(both[2].1.split(' ').count(), 2);
    }
}
