//! Which verifier these tests run against. The differential run (`oracle/`) has another file in this one's place.

use rosterd_saml::verify::{Verifier, Xmlsec};

pub fn in_use() -> &'static dyn Verifier {
    &Xmlsec
}
