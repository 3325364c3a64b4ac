//! Short or long: `make test` runs every test in its short form, `make soak` in its long one.

/// `long` if the environment says `ROSTERD_TEST_FORM=long`, else `short`.
pub fn pick<T>(short: T, long: T) -> T {
    match std::env::var("ROSTERD_TEST_FORM").as_deref() {
        Ok("long") => long,
        Ok("short") | Err(_) => short,
        Ok(other) => panic!("ROSTERD_TEST_FORM is `{other}`: write short or long"),
    }
}
