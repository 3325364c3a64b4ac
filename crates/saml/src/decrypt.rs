//! Encrypted assertions: which algorithms are accepted, and what was inside. Nothing is fetched; a key has to be in the message.
//!
//! Whatever fails once a cipher is at work fails alike ([`Rule::DecryptionFailed`]): the difference would tell a stranger about
//! the plaintext. CBC says nothing of who made the text, so it is off unless a connection asks for it.

use openssl::md::{Md, MdRef};
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::symm::{Cipher, Crypter, Mode, decrypt_aead};

use crate::document::{DSIG, Node, XENC};
use crate::limits::EXPANDED_BYTES_MAX;
use crate::rule::{Refusal, Rule, require, require_with};
use crate::transport::{Message, decode_base64};

const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";
/// Recipients of one message that are tried.
const ENCRYPTED_KEYS_MAX: usize = 4;

/// A key of ours. Prints nothing of itself.
#[derive(Clone)]
pub struct DecryptionKey(PKey<Private>);

impl DecryptionKey {
    /// PKCS #8 or PKCS #1, RSA; `None`: it is none.
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        PKey::private_key_from_pem(pem).ok().filter(|key| key.rsa().is_ok()).map(Self)
    }
}

impl std::fmt::Debug for DecryptionKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DecryptionKey")
    }
}

/// What a connection decrypts with.
#[derive(Debug, Clone, Default)]
pub struct Decryption {
    /// The current key and the one before it, or none.
    pub keys: Vec<DecryptionKey>,
    /// Accept AES-CBC, which Entra ID and AD FS send.
    pub allow_cbc: bool,
}

#[derive(Debug, Clone, Copy)]
enum DataCipher {
    Gcm(usize),
    Cbc(usize),
}

impl DataCipher {
    fn of(algorithm: &str) -> Option<Self> {
        let name = algorithm.strip_prefix(XENC11).or_else(|| algorithm.strip_prefix(XENC))?;
        let is_11 = algorithm.starts_with(XENC11);
        match (is_11, name) {
            (true, "aes128-gcm") => Some(Self::Gcm(16)),
            (true, "aes192-gcm") => Some(Self::Gcm(24)),
            (true, "aes256-gcm") => Some(Self::Gcm(32)),
            (false, "aes128-cbc") => Some(Self::Cbc(16)),
            (false, "aes192-cbc") => Some(Self::Cbc(24)),
            (false, "aes256-cbc") => Some(Self::Cbc(32)),
            _ => None,
        }
    }

    /// `None`: whatever was wrong.
    fn decrypt(self, key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (Self::Gcm(length) | Self::Cbc(length)) = self;
        if key.len() != length {
            return None;
        }
        let cipher = match (self, length) {
            (Self::Gcm(_), 16) => Cipher::aes_128_gcm(),
            (Self::Gcm(_), 24) => Cipher::aes_192_gcm(),
            (Self::Gcm(_), _) => Cipher::aes_256_gcm(),
            (Self::Cbc(_), 16) => Cipher::aes_128_cbc(),
            (Self::Cbc(_), 24) => Cipher::aes_192_cbc(),
            (Self::Cbc(_), _) => Cipher::aes_256_cbc(),
        };
        match self {
            Self::Gcm(_) => {
                let (nonce, rest) = sealed.split_at_checked(12)?;
                let (text, tag) = rest.split_at_checked(rest.len().checked_sub(16)?)?;
                decrypt_aead(cipher, key, Some(nonce), &[], text, tag).ok()
            }
            Self::Cbc(_) => {
                let (vector, text) = sealed.split_at_checked(16)?;
                let mut crypter = Crypter::new(cipher, Mode::Decrypt, key, Some(vector)).ok()?;
                // XML Encryption fills up with any bytes and says in the last one how many.
                crypter.pad(false);
                let mut plain = vec![0; text.len() + 16];
                let written = crypter.update(text, &mut plain).ok()?;
                let written = written + crypter.finalize(&mut plain[written..]).ok()?;
                let padding = usize::from(*plain.get(written.checked_sub(1)?)?);
                if !(1..=16).contains(&padding) {
                    return None;
                }
                plain.truncate(written.checked_sub(padding)?);
                Some(plain)
            }
        }
    }
}

/// What an EncryptedAssertion held, and whether the cipher vouches for nobody having changed it.
pub(crate) struct Opened {
    pub plaintext: Message,
    pub is_malleable: bool,
}

/// The text inside.
pub(crate) fn open(encrypted: Node<'_, '_>, decryption: &Decryption) -> Result<Opened, Refusal> {
    let shape = |holds| require(Rule::EncryptionShape, holds);
    require(Rule::NoDecryptionKey, !decryption.keys.is_empty())?;
    let Some(data) = encrypted.only(XENC, "EncryptedData")? else { return Err(Rule::EncryptionShape.refusal()) };
    let has_foreign = encrypted.descendants().any(|node| {
        node.local() == "CipherReference"
            || (node.is(DSIG, "RetrievalMethod") && !node.attribute("URI").is_some_and(|uri| uri.starts_with('#')))
    });
    shape(!has_foreign)?;
    let keys: Vec<Node<'_, '_>> = encrypted.descendants().filter(|node| node.is(XENC, "EncryptedKey")).collect();
    shape((1..=ENCRYPTED_KEYS_MAX).contains(&keys.len()))?;

    let algorithm = algorithm_of(data);
    let Some(cipher) = algorithm.and_then(DataCipher::of) else {
        return Err(Rule::EncryptionAlgorithm.refusal().received_any(algorithm));
    };
    let is_malleable = matches!(cipher, DataCipher::Cbc(_));
    require_with(Rule::EncryptionAlgorithm, !is_malleable || decryption.allow_cbc, |refusal| refusal.received_any(algorithm))?;

    let sealed = cipher_value(data)?;
    // The plaintext is shorter. Asked of it instead, the size would tell how long its padding is.
    require(Rule::MessageTooLarge, sealed.len() <= EXPANDED_BYTES_MAX)?;
    let mut unwrapped = Vec::new();
    for key in keys {
        let transport = KeyTransport::of(key)?;
        let wrapped = cipher_value(key)?;
        unwrapped.extend(decryption.keys.iter().filter_map(|ours| transport.unwrap(&ours.0, &wrapped)));
    }
    let failed = || Rule::DecryptionFailed.refusal();
    let plaintext = unwrapped.iter().find_map(|key| cipher.decrypt(key, &sealed)).ok_or_else(failed)?;
    let plaintext = Message::from_bytes(plaintext, EXPANDED_BYTES_MAX).map_err(|_| failed())?;
    Ok(Opened { plaintext, is_malleable })
}

fn algorithm_of<'d>(node: Node<'d, '_>) -> Option<&'d str> {
    node.named(XENC, "EncryptionMethod").next().and_then(|method| method.attribute("Algorithm"))
}

fn cipher_value(node: Node<'_, '_>) -> Result<Vec<u8>, Refusal> {
    let data = node.only(XENC, "CipherData")?;
    let value = data.map(|data| data.only(XENC, "CipherValue")).transpose()?.flatten();
    let Some(value) = value else { return Err(Rule::EncryptionShape.refusal()) };
    decode_base64(value.text()?).map_err(|_| Rule::EncryptionShape.refusal())
}

/// OAEP with its two digests. Version 1.5 of PKCS #1 is an oracle by construction and never accepted.
struct KeyTransport {
    digest: &'static MdRef,
    mask: &'static MdRef,
}

impl KeyTransport {
    fn of(key: Node<'_, '_>) -> Result<Self, Refusal> {
        let refused = |what: Option<&str>| Rule::EncryptionAlgorithm.refusal().received_any(what);
        let algorithm = algorithm_of(key);
        let is_11 = match algorithm {
            Some("http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p") => false,
            Some("http://www.w3.org/2009/xmlenc11#rsa-oaep") => true,
            _ => return Err(refused(algorithm)),
        };
        let Some(method) = key.only(XENC, "EncryptionMethod")? else { return Err(refused(None)) };
        let digest = method.only(DSIG, "DigestMethod")?.and_then(|node| node.attribute("Algorithm"));
        let digest = match digest {
            None | Some("http://www.w3.org/2000/09/xmldsig#sha1") => Md::sha1(),
            Some("http://www.w3.org/2001/04/xmlenc#sha256") => Md::sha256(),
            Some("http://www.w3.org/2001/04/xmlenc#sha512") => Md::sha512(),
            _ => return Err(refused(digest)),
        };
        let mask = method.children().find(|child| child.local() == "MGF").and_then(|node| node.attribute("Algorithm"));
        let mask = match mask {
            None | Some("http://www.w3.org/2009/xmlenc11#mgf1sha1") => Md::sha1(),
            Some("http://www.w3.org/2009/xmlenc11#mgf1sha256") if is_11 => Md::sha256(),
            Some("http://www.w3.org/2009/xmlenc11#mgf1sha512") if is_11 => Md::sha512(),
            _ => return Err(refused(mask)),
        };
        if method.children().any(|child| child.local() == "OAEPparams" && child.has_text()) {
            return Err(refused(Some("OAEPparams")));
        }
        Ok(Self { digest, mask })
    }

    fn unwrap(&self, key: &PKey<Private>, wrapped: &[u8]) -> Option<Vec<u8>> {
        let mut context = PkeyCtx::new(key).ok()?;
        context.decrypt_init().ok()?;
        context.set_rsa_padding(Padding::PKCS1_OAEP).ok()?;
        context.set_rsa_oaep_md(self.digest).ok()?;
        context.set_rsa_mgf1_md(self.mask).ok()?;
        let mut plain = Vec::new();
        context.decrypt_to_vec(wrapped, &mut plain).ok()?;
        Some(plain)
    }
}
