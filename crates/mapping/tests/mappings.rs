//! The six mappings of the reference, from text to their own tests.

#![expect(clippy::panic, reason = "a test says what is wrong by panicking")]

use rosterd_mapping::check::{Sources, compile};
use rosterd_mapping::tester::run_tests;

/// The one table that they read from a file.
struct Tables;

impl Sources for Tables {
    fn include(&self, path: &str) -> Result<String, String> {
        Err(format!("no {path} here"))
    }

    fn table(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            "tables/entra-groups.csv" => Ok(b"object_id,name\ng-1,Staff\n".to_vec()),
            _ => Err(format!("no {path} here")),
        }
    }
}

fn holds(name: &str, text: &str) {
    let compiled = compile(name, text, &Tables);
    let plan = compiled.plan.unwrap_or_else(|| panic!("{name}: {:#?}", compiled.diagnostics));
    assert!(!compiled.tests.is_empty(), "{name} has tests");
    let run = run_tests(&plan, &compiled.tests, &[]);
    let failed: Vec<_> = run.tests.iter().filter(|test| !test.mismatches.is_empty()).collect();
    assert!(failed.is_empty(), "{name}: {failed:#?}");
}

macro_rules! mappings {
    ($($test:ident $file:literal)*) => {
        $(#[test]
        fn $test() {
            holds($file, include_str!(concat!("data/mappings/", $file)));
        })*
    };
}

mappings! {
    active_directory "ad.mapping"
    openldap "openldap.mapping"
    entra_claims "entra-saml.mapping"
    edu_person "shibboleth.mapping"
    google "google.mapping"
    github "github.mapping"
}

/// What benches/mapping measures compiles, and reads only what it maps.
#[test]
fn the_mapping_of_the_benchmark_compiles() {
    let compiled = compile("rich.mapping", include_str!("../../../benches/mapping/mappings/rich.mapping"), &Tables);
    let plan = compiled.plan.unwrap_or_else(|| panic!("{:#?}", compiled.diagnostics));
    assert_eq!((plan.rules.len(), plan.slots.len()), (18, 20));
}
