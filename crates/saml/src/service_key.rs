//! Making a key of ours, with the certificate that carries it. Identity providers take keys only in certificates, and look at
//! nothing of these but the key: so it signs itself and lasts long.

use jiff::Timestamp;
use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509NameBuilder};

use crate::sign::CannotSign;
use crate::verify::Certificate;

/// Every identity provider takes it, for signing and for encryption.
const RSA_BITS: u32 = 2048;
/// Its dates decide nothing, and one that runs out alarms whoever looks at it.
const DAYS: i64 = 3_650;
/// Before now, for clocks that are behind.
const SECONDS_BEFORE: i64 = 86_400;

/// A new private key as PKCS #8 PEM, and its certificate, valid from a day before `now` for ten years. `serial`: random. Takes
/// some tenths of a second: it belongs on a thread that may block.
pub fn generate(common_name: &str, serial: [u8; 16], now: Timestamp) -> Result<(Vec<u8>, Certificate), CannotSign> {
    let (pem, der) = make(common_name, serial, now)?;
    let certificate = Certificate::from_der(&der).map_err(|refusal| CannotSign::because(refusal.code()))?;
    Ok((pem, certificate))
}

fn make(common_name: &str, mut serial: [u8; 16], now: Timestamp) -> Result<(Vec<u8>, Vec<u8>), ErrorStack> {
    let key = PKey::from_rsa(Rsa::generate(RSA_BITS)?)?;
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("CN", common_name)?;
    let name = name.build();
    // Positive, as RFC 5280 §4.1.2.2 wants it, and not zero.
    serial[0] = serial[0] & 0x7f | 0x40;
    let serial = Asn1Integer::from_bn(&*BigNum::from_slice(&serial)?)?;
    let from = now.as_second() - SECONDS_BEFORE;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_pubkey(&key)?;
    builder.set_not_before(&*Asn1Time::from_unix(from)?)?;
    builder.set_not_after(&*Asn1Time::from_unix(from + DAYS * 86_400)?)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok((key.private_key_to_pem_pkcs8()?, builder.build().to_der()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::SigningKey;

    #[test]
    fn a_new_key_fits_its_certificate_and_no_other() {
        let now = Timestamp::from_second(1_700_000_000).expect("a time");
        let (pem, certificate) = generate("con_1", [0xff; 16], now).expect("a key");
        let (other, _) = generate("con_1", [0; 16], now).expect("a key");
        assert_ne!(pem, other);
        assert!(certificate.not_after().is_some_and(|until| until.duration_since(now).as_hours() > 9 * 365 * 24));
        assert!(SigningKey::from_pem(&other, certificate.clone()).is_none());
        assert!(SigningKey::from_pem(&pem, certificate).is_some());
    }
}
