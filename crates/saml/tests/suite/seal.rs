//! Encryption as identity providers do it, and otherwise.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::md::Md;
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::symm::{Cipher, Crypter, Mode, encrypt_aead};

use super::mint::{ASSERTION, DSIG, Key, ours};

/// How an assertion is sealed; a test changes one thing.
pub struct Sealing {
    pub cipher: &'static str,
    pub transport: String,
    pub oaep_sha256: bool,
    /// Beside the data, as Shibboleth has it.
    pub sibling: bool,
    pub to: &'static Key,
    pub padding: Padding,
    /// The last byte of a CBC text, if not the right one.
    pub last: Option<u8>,
}

impl Default for Sealing {
    fn default() -> Self {
        Self {
            cipher: "http://www.w3.org/2009/xmlenc11#aes256-gcm",
            transport: method("http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p", ""),
            oaep_sha256: false,
            sibling: false,
            to: ours(),
            padding: Padding::PKCS1_OAEP,
            last: None,
        }
    }
}

pub fn method(algorithm: &str, inside: &str) -> String {
    format!("<xenc:EncryptionMethod Algorithm=\"{algorithm}\">{inside}</xenc:EncryptionMethod>")
}

pub const OAEP_11: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";

pub fn oaep_sha256() -> String {
    method(
        OAEP_11,
        &format!(
            "<ds:DigestMethod xmlns:ds=\"{DSIG}\" Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod>\
             <xenc11:MGF xmlns:xenc11=\"http://www.w3.org/2009/xmlenc11#\" Algorithm=\"http://www.w3.org/2009/xmlenc11#mgf1sha256\">\
             </xenc11:MGF>"
        ),
    )
}

fn encrypt_data(cipher: &str, key: &[u8], text: &[u8], padding: Option<u8>) -> Vec<u8> {
    let vector = [7_u8; 16];
    if cipher.ends_with("gcm") {
        let kind = match key.len() {
            16 => Cipher::aes_128_gcm(),
            24 => Cipher::aes_192_gcm(),
            _ => Cipher::aes_256_gcm(),
        };
        let mut tag = [0; 16];
        let sealed = encrypt_aead(kind, key, Some(&vector[..12]), &[], text, &mut tag).unwrap();
        return [&vector[..12], &sealed, &tag].concat();
    }
    let kind = match key.len() {
        16 => Cipher::aes_128_cbc(),
        24 => Cipher::aes_192_cbc(),
        _ => Cipher::aes_256_cbc(),
    };
    let missing = 16 - text.len() % 16;
    // Any bytes and then their number, as XML Encryption has it; or another number.
    let mut padded = text.to_vec();
    padded.extend(std::iter::repeat_n(0xAA, missing - 1));
    padded.push(padding.unwrap_or(missing as u8));
    let mut crypter = Crypter::new(kind, Mode::Encrypt, key, Some(&vector)).unwrap();
    crypter.pad(false);
    let mut sealed = vec![0; padded.len() + 16];
    let written = crypter.update(&padded, &mut sealed).unwrap();
    let written = written + crypter.finalize(&mut sealed[written..]).unwrap();
    sealed.truncate(written);
    [&vector[..], &sealed].concat()
}

pub fn seal(assertion: &str, how: &Sealing) -> String {
    seal_bytes(assertion.as_bytes(), how)
}

pub fn seal_bytes(text: &[u8], how: &Sealing) -> String {
    let length = if how.cipher.contains("128") {
        16
    } else if how.cipher.contains("192") {
        24
    } else {
        32
    };
    let key = vec![9_u8; length];
    let sealed = STANDARD.encode(encrypt_data(how.cipher, &key, text, how.last));
    let public = how.to.certificate.public_key().unwrap();
    let mut context = PkeyCtx::new(&public).unwrap();
    context.encrypt_init().unwrap();
    context.set_rsa_padding(how.padding).unwrap();
    if how.oaep_sha256 {
        context.set_rsa_oaep_md(Md::sha256()).unwrap();
        context.set_rsa_mgf1_md(Md::sha256()).unwrap();
    }
    let mut wrapped = Vec::new();
    context.encrypt_to_vec(&key, &mut wrapped).unwrap();
    let encrypted_key = format!(
        "<xenc:EncryptedKey Id=\"_key1\">{}<xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>",
        how.transport,
        STANDARD.encode(wrapped)
    );
    let (inline, beside) = if how.sibling {
        let retrieval =
            "<ds:RetrievalMethod Type=\"http://www.w3.org/2001/04/xmlenc#EncryptedKey\" URI=\"#_key1\"></ds:RetrievalMethod>";
        (retrieval.to_owned(), encrypted_key)
    } else {
        (encrypted_key, String::new())
    };
    format!(
        "<saml:EncryptedAssertion xmlns:saml=\"{ASSERTION}\"><xenc:EncryptedData xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\" \
         Type=\"http://www.w3.org/2001/04/xmlenc#Element\">{}<ds:KeyInfo xmlns:ds=\"{DSIG}\">{inline}</ds:KeyInfo><xenc:CipherData>\
         <xenc:CipherValue>{sealed}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>{}</saml:EncryptedAssertion>",
        method(how.cipher, ""),
        beside.replace("<xenc:EncryptedKey ", "<xenc:EncryptedKey xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\" "),
    )
}
