//! The tests of `rosterd-saml`, from its own files, with two verifiers that have to agree at every signature.
#![allow(clippy::unwrap_used, clippy::panic, reason = "as in the suite itself")]
#![allow(clippy::field_reassign_with_default, reason = "a login that is right, and then the one thing that is not")]

mod verifier {
    use std::sync::Once;

    use samael::crypto::{Crypto, CryptoProvider};

    pub fn in_use() -> &'static dyn rosterd_saml::verify::Verifier {
        // samael, by which a test signs, sets libxmlsec1 up without looking whether somebody has: so it comes first.
        static FIRST: Once = Once::new();
        FIRST.call_once(|| {
            let key = super::mint::rsa().private.rsa().unwrap().private_key_to_der().unwrap();
            assert!(Crypto::sign_xml("<Nothing/>", &key).is_err());
        });
        &rosterd_saml_oracle::Both
    }
}

macro_rules! of_the_suite {
    ($($module:ident $path:literal)*) => { $( #[path = $path] mod $module; )* };
}

of_the_suite! {
    algorithms "../../tests/suite/algorithms.rs"
    bombs "../../tests/suite/bombs.rs"
    certificates "../../tests/suite/certificates.rs"
    encrypted "../../tests/suite/encrypted.rs"
    expected "../../tests/suite/expected.rs"
    good "../../tests/suite/good.rs"
    identity "../../tests/suite/identity.rs"
    logout "../../tests/suite/logout.rs"
    mint "../../tests/suite/mint.rs"
    outgoing "../../tests/suite/outgoing.rs"
    placement "../../tests/suite/placement.rs"
    properties "../../tests/suite/properties.rs"
    seal "../../tests/suite/seal.rs"
    shapes "../../tests/suite/shapes.rs"
    wrapping "../../tests/suite/wrapping.rs"
}
