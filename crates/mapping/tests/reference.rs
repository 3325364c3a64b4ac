//! The six mappings of the reference compile, and say what they should.

use rosterd_mapping::check::{Compiled, Sources, compile};
use rosterd_mapping::diagnostic::Severity;

struct Files;

impl Sources for Files {
    fn include(&self, path: &str) -> Result<String, String> {
        Err(format!("no file {path}"))
    }

    fn table(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            "tables/entra-groups.csv" => Ok(b"object_id,name\n1111,Wiki\n2222,\"Staff, all\"\n".to_vec()),
            other => Err(format!("no file {other}")),
        }
    }
}

fn errors(compiled: &Compiled) -> Vec<String> {
    let errors = compiled.diagnostics.iter().filter(|one| one.severity == Severity::Error);
    errors.map(|one| format!("{} {}: {}", one.code, one.message, &compiled.files[0].1[one.span.range()])).collect()
}

fn reference(name: &str, text: &str) -> Compiled {
    let compiled = compile(name, text, &Files);
    assert_eq!(errors(&compiled), Vec::<String>::new(), "{name}");
    assert!(compiled.plan.is_some(), "{name}");
    compiled
}

macro_rules! mappings {
    ($($test:ident $file:literal),* $(,)?) => { $(
        #[test]
        fn $test() {
            reference($file, include_str!(concat!("data/mappings/", $file)));
        }
    )* };
}

mappings! {
    active_directory_compiles "ad.mapping",
    openldap_compiles "openldap.mapping",
    entra_saml_compiles "entra-saml.mapping",
    shibboleth_compiles "shibboleth.mapping",
    google_compiles "google.mapping",
    github_compiles "github.mapping",
}
