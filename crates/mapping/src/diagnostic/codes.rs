//! The registry of diagnostic numbers. A number is never reused; adding a diagnostic is part of adding a feature.
//! M0xx: the mapping does not compile. M1xx: one attribute of one entry failed. Nxx: notes of a run. Lxx: lints.

use super::Severity;

macro_rules! codes {
    ($($name:ident $title:literal)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($name),* }

        impl Code {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }

            /// What the number stands for, in one line.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }
        }
    };
}

codes! {
    M001 "this is not how the language is written"
    M002 "unknown name"
    M003 "unknown source attribute"
    M004 "unknown target"
    M005 "unknown function"
    M006 "wrong arguments"
    M007 "wrong type"
    M008 "a list where one value is wanted, or the other way round"
    M009 "defined twice"
    M010 "a modifier that does not fit"
    M011 "may only be used under `create`"
    M012 "`??` mixed with a comparison or `and`/`or` without parentheses"
    M013 "regular expression"
    M014 "literal out of range or malformed"
    M015 "over a limit"
    M016 "included file"
    M017 "table"
    M018 "header"
    M020 "replaces an inherited rule without `override`"
    M021 "values depend on each other in a circle"
    M022 "`override`, `remove` or `inherited` without a rule to refer to"
    M023 "test"
    M024 "a gate where nothing comes in"
    M101 "conversion or function failed"
    M102 "source value of another kind"
    M110 "required value is absent"
    M111 "check failed"
    M112 "larger than `max` allows"
    M113 "several values where one is wanted"
    M114 "no candidate is free"
    M190 "over a limit while running"
    N01 "several values, the first one taken"
    L01 "declared source attribute never used"
    L02 "can never take effect"
    L03 "fallback can never be reached"
    L04 "one value read from an attribute with several"
    L05 "may fail and has no fallback"
    L06 "regular expression in `check` matches anywhere"
    L07 "rule without a test"
    L08 "`user_id` made of an attribute that changes"
    L09 "`email_verified` is always true"
    L10 "table keys that differ in case only, or twice"
    L11 "`absent clear` on `email`"
    L12 "every group is taken"
    L13 "sensitive value in a target that is not"
    L14 "override equal to what it replaces"
    L15 "looks like a misspelt attribute"
    L16 "`groups` of a push or a synced directory comes from the group mapping"
    L17 "the header's name is not the file's"
}

impl Code {
    pub fn severity(self) -> Severity {
        if self.as_str().starts_with('M') { Severity::Error } else { Severity::Warning }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
