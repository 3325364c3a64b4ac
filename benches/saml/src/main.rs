//! `saml-bench mint FOLDER` writes the reference message and its certificate; `saml-bench measure FOLDER SECONDS` accepts it
//! over and over, from the form field to a verified assertion, and prints how often per second of CPU time. `saml-bench seeds FOLDER`
//! writes what fuzz/seeds/saml_response holds.
#![allow(clippy::unwrap_used, clippy::panic, dead_code, reason = "a measuring tool ends when something is wrong")]

#[path = "../../../crates/saml/tests/suite/mint.rs"]
mod mint;

mod verifier {
    pub fn in_use() -> &'static dyn rosterd_saml::verify::Verifier {
        &rosterd_saml::verify::Xmlsec
    }
}

use std::hint::black_box;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rosterd_saml::limits::Limits;
use rosterd_saml::scan::scan;
use rosterd_saml::verify::{Certificate, Certificates, Policy};

/// As Entra ID names and sizes them.
const ATTRIBUTES: [(&str, &str); 10] = [
    ("http://schemas.microsoft.com/identity/claims/tenantid", "3f2a5b60-0c1e-4d7b-9a4d-3f5f0e6f9d21"),
    ("http://schemas.microsoft.com/identity/claims/objectidentifier", "8e6c7a10-77aa-4f2e-8a0f-1c2d3e4f5a6b"),
    ("http://schemas.microsoft.com/identity/claims/displayname", "Alice Example-Longname"),
    (
        "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
        "0c7c0d1e-5a55-4c8e-9e8e-6d1f2a3b4c5d;1d8d1e2f-6b66-4d9f-8f9f-7e2f3b4c5d6e;2e9e2f30-7c77-4ea0-90a0-8f304c5d6e7f",
    ),
    (
        "http://schemas.microsoft.com/identity/claims/identityprovider",
        "https://sts.windows.net/3f2a5b60-0c1e-4d7b-9a4d-3f5f0e6f9d21/",
    ),
    ("http://schemas.microsoft.com/claims/authnmethodsreferences", "http://schemas.microsoft.com/claims/multipleauthn"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", "Alice"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "Example-Longname"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "alice.example-longname@example.com"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", "alice.example-longname@example.com"),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["mint", folder] => mint_into(Path::new(folder)),
        ["seeds", folder] => seeds_into(Path::new(folder)),
        ["measure", folder, seconds] => measure(Path::new(folder), seconds.parse().unwrap()),
        _ => panic!("saml-bench mint FOLDER | seeds FOLDER | measure FOLDER SECONDS"),
    }
}

fn mint_into(folder: &Path) {
    let mut login = mint::Login::default();
    let statements = ATTRIBUTES.map(|(name, value)| mint::attribute(name, &value.split(';').collect::<Vec<_>>())).concat();
    login.attributes = format!("<saml:AttributeStatement>{statements}</saml:AttributeStatement>");
    let certificate = STANDARD.encode(mint::rsa().der());
    let how = mint::How {
        key_info: format!(
            "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        ),
        ..mint::How::default()
    };
    let xml = login.response(&mint::sign(&login.assertion(), &login.assertion_id, mint::rsa(), &how));
    eprintln!("{} bytes, {} in base64", xml.len(), mint::field(&xml).len());
    std::fs::write(folder.join("response.b64"), mint::field(&xml)).unwrap();
    std::fs::write(folder.join("idp.pem"), mint::rsa().certificate.to_pem().unwrap()).unwrap();
}

/// What the fuzzer begins with: genuine messages by a key that is then forgotten, and its certificate.
fn seeds_into(folder: &Path) {
    let login = mint::Login::default();
    let messages = [
        ("assertion", login.signed_assertion(mint::rsa())),
        ("response", login.signed_response(mint::rsa())),
        ("both", login.signed_both(mint::rsa())),
        ("unsigned", login.response(&login.assertion())),
    ];
    for (name, xml) in messages {
        std::fs::write(folder.join(format!("{name}.xml")), xml).unwrap();
    }
    std::fs::write(folder.join("idp.pem"), mint::rsa().certificate.to_pem().unwrap()).unwrap();
}

fn cpu_seconds() -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the whole struct.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn rate(seconds: f64, mut run: impl FnMut()) -> f64 {
    for _ in 0..50 {
        run();
    }
    let (begin, mut count) = (cpu_seconds(), 0.0);
    loop {
        for _ in 0..50 {
            run();
        }
        count += 50.0;
        let used = cpu_seconds() - begin;
        if used >= seconds {
            return count / used;
        }
    }
}

fn measure(folder: &Path, seconds: f64) {
    let field = std::fs::read_to_string(folder.join("response.b64")).unwrap();
    let certificate = Certificate::from_text(&std::fs::read_to_string(folder.join("idp.pem")).unwrap()).unwrap();
    let gateway = mint::Gateway { certificates: vec![certificate.clone()], ..mint::Gateway::default() };
    let whole = rate(seconds, || {
        let verified = gateway.take_field(black_box(&field)).unwrap();
        assert_eq!(verified.attributes().len(), ATTRIBUTES.len());
        black_box(verified);
    });
    let xml = String::from_utf8(STANDARD.decode(&field).unwrap()).unwrap();
    let certificates = Certificates::new(vec![certificate]).unwrap();
    let policy = Policy { family: rosterd_saml::signature::Family::Rsa };
    let library = rate(seconds, || {
        black_box(verifier::in_use().verify(black_box(&xml), &certificates, &policy).unwrap());
    });
    let scanned = rate(seconds / 2.0, || {
        black_box(scan(black_box(&xml), Limits::MESSAGE).unwrap());
    });
    println!("{{\"whole\": {whole}, \"library\": {library}, \"scan\": {scanned}}}");
}
