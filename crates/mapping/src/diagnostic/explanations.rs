//! What each diagnostic means, with a text that gets it and one that does not: `rosterd mapping explain CODE`. A code
//! without an explanation does not compile; a test compiles and runs the examples.

use super::codes::Code;

/// Of one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Why it is said, and the way out.
    pub text: &'static str,
    /// A mapping, or lines of one, of which it is said.
    pub example: &'static str,
    /// The same as it should be.
    pub instead: &'static str,
}

const fn explained(text: &'static str, example: &'static str, instead: &'static str) -> Explanation {
    Explanation { text, example, instead }
}

/// What `code` means. Examples without a header stand in a mapping from ldap to profile.
pub const fn explanation(code: Code) -> Explanation {
    match code {
        Code::M001
        | Code::M002
        | Code::M003
        | Code::M004
        | Code::M005
        | Code::M006
        | Code::M007
        | Code::M008
        | Code::M009
        | Code::M010
        | Code::M011
        | Code::M012
        | Code::M013
        | Code::M014 => of_the_text(code),
        Code::M015 | Code::M016 | Code::M017 | Code::M018 | Code::M020 | Code::M021 | Code::M022 | Code::M023 | Code::M024 => {
            of_the_whole(code)
        }
        Code::M101 | Code::M102 | Code::M110 | Code::M111 | Code::M112 | Code::M113 | Code::M114 | Code::M190 | Code::N01 => {
            of_a_run(code)
        }
        Code::L01
        | Code::L02
        | Code::L03
        | Code::L04
        | Code::L05
        | Code::L06
        | Code::L07
        | Code::L08
        | Code::L09
        | Code::L10
        | Code::L11
        | Code::L12
        | Code::L13
        | Code::L16 => lint(code),
        Code::L14 | Code::L15 | Code::L17 => slip(code),
    }
}

const fn of_the_text(code: Code) -> Explanation {
    match code {
        Code::M002 => explained(
            "A bare name is a `let`, a `const`, a table or the variable of a comprehension, of this file or of one it\n\
             includes. Nothing of this name is known here. Attributes of the source begin with `$`.",
            "name = displayName",
            "name = $displayName",
        ),
        Code::M003 => explained(
            "The schema of the source has no attribute of this name. A slip of the pen would be an attribute that is never\n\
             there, so it is an error. What a directory has of its own is declared in `attrs`.",
            "email = $mial",
            "attrs { shoeSize: int }\nemail = $mail\napp_metadata.shoe_size = $shoeSize",
        ),
        Code::M004 => explained(
            "A rule writes a root attribute of the profile, or anything below `user_metadata` and `app_metadata`. There is\n\
             nothing else it could write.",
            "department = $department",
            "app_metadata.department = $department",
        ),
        Code::M005 => explained(
            "There is no function of this name. `rosterd mapping functions` lists them all.",
            "email = lowercase($mail)",
            "email = lower($mail)",
        ),
        Code::M006 => explained(
            "The function takes other arguments, or fewer, or more; or it can't fail and so has no twin with `?`.\n\
             `rosterd mapping functions NAME` shows how it is called.",
            "nickname = before($mail)",
            "nickname = before($mail, \"@\")",
        ),
        Code::M007 => explained(
            "The value is of one type, its place wants another, and nothing is converted without being asked for: a number\n\
             is not text, text is no condition.",
            "email_verified = $mail",
            "email_verified = present($mail)",
        ),
        Code::M008 => explained(
            "`$x` is always one value and `$x[*]` always a list, whatever an entry holds. Here a list stands where one value\n\
             is wanted, or one value where a list is wanted.",
            "groups = $departmentNumber",
            "groups = $departmentNumber[*]",
        ),
        Code::M009 => explained(
            "A name stands for one thing, and an attribute has one rule: of two nobody could say which counts. Alternatives\n\
             of one attribute stand in one rule, with `??` between them.",
            "name = $displayName\nname = $cn",
            "name = $displayName ?? $cn",
        ),
        Code::M010 => explained(
            "The word after `with` is not known, does not fit this target, lacks its argument or contradicts another one.",
            "name = $displayName with create, always",
            "name = $displayName with create",
        ),
        Code::M011 => explained(
            "`uuid()` and `random_string()` give another value each time. A rule that runs at every login or sync would\n\
             change the stored value every time.",
            "app_metadata.key = uuid()",
            "app_metadata.key = uuid() with create",
        ),
        Code::M012 => explained(
            "`a ?? b == c` can be read in two ways, and languages differ in which they take. Parentheses say it.",
            "blocked = $title ?? $department == \"gone\"",
            "blocked = ($title ?? $department) == \"gone\"",
        ),
        Code::M013 => explained(
            "The regular expression can't be read, or would be larger than 1 MiB when compiled. There are no references\n\
             back and no look-around: that is what keeps every match linear in the text.",
            "blocked = $title ~ /(gone/",
            "blocked = $title ~ /\\(gone/",
        ),
        Code::M014 => explained(
            "The literal is too large for its type, or not written as one of its kind.",
            "app_metadata.big = 99999999999999999999",
            "app_metadata.big = \"99999999999999999999\"",
        ),
        _ => explained(
            "The text can't be read at this place. The message says what was expected; the rest of the file is read all\n\
             the same, from the next item on.",
            "name = $givenName + ",
            "name = \"{$givenName} {$sn}\"",
        ),
    }
}

const fn of_the_whole(code: Code) -> Explanation {
    match code {
        Code::M015 => explained(
            "Everything has a limit, so that a mapping can't hold up a gateway: 256 KiB a file, 64 included files, 2,000\n\
             rules, expressions 64 deep, two comprehensions inside one another, a million rows in a table.",
            "groups = [ a for a in $cn[*] if count([ b for b in $sn[*] if count([ c for c in $ou[*] if c == b ]) == 0 ]) == 0 ]",
            "let other = [ b for b in $sn[*] if count([ c for c in $ou[*] if c == b ]) == 0 ]\n\
             groups = [ a for a in $cn[*] if not (a in other) ]",
        ),
        Code::M016 => explained(
            "The file that `use` names can't be had. Its path is relative to the mapping's folder, leads nowhere upwards and\n\
             does not lead back to the file itself.",
            "use \"../shared.mapping\"",
            "use \"shared.mapping\"",
        ),
        Code::M017 => explained(
            "A table maps text, integers or booleans to literals of one type. From a CSV file two columns are taken, by the\n\
             names in its first line.",
            "table level { \"a\" => 1, \"b\" => \"two\" }\napp_metadata.level = level[$title]",
            "table level { \"a\" => 1, \"b\" => 2 }\napp_metadata.level = level[$title]",
        ),
        Code::M018 => explained(
            "A mapping starts with one line that says its name and what it goes from and to.",
            "mapping acme from activedirectory to profile\nname = $cn",
            "mapping acme from ldap to profile\nname = $cn",
        ),
        Code::M020 => explained(
            "The attribute has a rule already, in an included file. Replacing it is fine, but has to be meant.",
            "use \"shared.mapping\"\nname = $cn",
            "use \"shared.mapping\"\noverride name = $cn",
        ),
        Code::M021 => explained(
            "Each of the values is made of the other, so neither can be first.",
            "name = new.nickname\nnickname = new.name",
            "name = $cn\nnickname = new.name",
        ),
        Code::M022 => explained(
            "`override`, `remove` and `inherited` speak of a rule of an included file, and there is none for this attribute.",
            "override name = $cn",
            "name = $cn",
        ),
        Code::M024 => explained(
            "Gates say who is taken in. An application's claims are about somebody who is signed in already; whether they may go on to\n\
             the application is decided before, by its connections.",
            "mapping shop from profile to oidc\nskip when $blocked because \"blocked\"\nteam = $app_metadata.team",
            "mapping shop from profile to oidc\nteam = $app_metadata.team when not $blocked",
        ),
        _ => explained(
            "A test that expects something of an attribute no rule writes could never fail, or never hold.",
            "name = $cn\ntest \"a name\" { given { cn: \"x\" } expect { nmae: \"x\" } }",
            "name = $cn\ntest \"a name\" { given { cn: \"x\" } expect { name: \"x\" } }",
        ),
    }
}

const fn of_a_run(code: Code) -> Explanation {
    match code {
        Code::M101 => explained(
            "The source gave a value that does not convert: text that is no number, a telephone number without a country.\n\
             This attribute keeps its old value, the others are written. The twin with `?` gives absent instead, and `??`\n\
             a value in its place.",
            "app_metadata.level = int($title)\ntest \"no number\" { given { title: \"boss\" } expect error app_metadata.level \"M101\" }",
            "app_metadata.level = int?($title) ?? 0\ntest \"no number\" { given { title: \"boss\" } expect { app_metadata: { level: 0 } } }",
        ),
        Code::M102 => explained(
            "The source gave another kind of value than the place wants: an object where text is wanted, say. This attribute\n\
             keeps its old value, the others are written.",
            "mapping m from json to profile\nname = $title\ntest \"an object\" { given { title: { de: \"x\" } } expect error name \"M102\" }",
            "mapping m from json to profile\nname = $title.de\ntest \"an object\" { given { title: { de: \"x\" } } expect { name: \"x\" } }",
        ),
        Code::M110 => explained(
            "The rule is `required`, or says `absent reject`, and the source gave nothing for it. The whole entry is refused\n\
             with all reasons, and nothing is stored.",
            "email = $mail with required\ntest \"no address\" { given { cn: \"x\" } expect error email \"M110\" }",
            "email = $mail ?? $userPrincipalName with required\ntest \"no address\" { given { userPrincipalName: \"x@y.example\" } expect { email: \"x@y.example\" } }",
        ),
        Code::M111 => explained(
            "The value is there but does not pass its `check`. This attribute keeps its old value; if it is `required` the\n\
             entry is refused.",
            "email = $mail with check email\ntest \"no address\" { given { mail: \"nobody\" } expect error email \"M111\" }",
            "email = if $mail like \"*@*\" then $mail else absent with check email\ntest \"no address\" { given { mail: \"nobody\" } expect { email: absent } }",
        ),
        Code::M112 => explained(
            "The value is larger than its `max`. Nothing is cut off: half a picture is none.",
            "name = $cn with max 4b\ntest \"too long\" { given { cn: \"Ann Lee\" } expect error name \"M112\" }",
            "name = left($cn, 4) with max 4b\ntest \"too long\" { given { cn: \"Ann Lee\" } expect { name: \"Ann \" } }",
        ),
        Code::M113 => explained(
            "The rule is `strict` (or asks for `only`) and the source has several values where one is wanted.",
            "name = $cn with strict\ntest \"two\" { given { cn: [\"a\", \"b\"] } expect error name \"M113\" }",
            "name = $cn[0] with strict\ntest \"two\" { given { cn: [\"a\", \"b\"] } expect { name: \"a\" } }",
        ),
        Code::M114 => explained(
            "The store was asked which of the candidates nobody bears yet, and all are taken. The attribute keeps its old\n\
             value. A last candidate that can't be taken, with `uuid()` in it, ends that.",
            "username = first_free [$uid, \"{$uid}1\"] with create",
            "username = first_free [$uid, \"{$uid}1\", \"{$uid}-{uuid()}\"] with create",
        ),
        Code::M190 => explained(
            "The attribute would have taken more than its share: 200,000 steps an entry, 20,000 values a list, 1 MiB a text,\n\
             4 MiB in all. It keeps its old value, the others are written.",
            "name = pad_left($cn, 2000000, \"x\")\ntest \"padded\" { given { cn: \"a\" } expect error name \"M190\" }",
            "name = pad_left($cn, 4, \"x\")\ntest \"padded\" { given { cn: \"a\" } expect { name: \"xxxa\" } }",
        ),
        _ => explained(
            "The source has several values and the rule takes the first one, in the source's order, which few directories\n\
             promise to keep. It is noted in a trace and counted. `$x[*]` takes them all, `only($x[*])` makes it an error.",
            "name = $cn\ntest \"two\" { given { cn: [\"a\", \"b\"] } expect warning N01 }",
            "name = first(sort($cn[*]))\ntest \"two\" { given { cn: [\"b\", \"a\"] } expect { name: \"a\" } }",
        ),
    }
}

const fn lint(code: Code) -> Explanation {
    match code {
        Code::L01 => explained(
            "What is declared and never read is either a rule that is missing or a line too many.",
            "attrs { shoeSize: int }\nname = $cn",
            "attrs { shoeSize: int }\nname = $cn\napp_metadata.shoe_size = $shoeSize",
        ),
        Code::L02 => explained(
            "The condition is known without any entry, so the rule or the gate never acts, or always does.",
            "name = $cn when false",
            "name = $cn",
        ),
        Code::L03 => explained(
            "The left side of `??` is never absent, so the right side is never used.",
            "name = \"Ann\" ?? $cn",
            "name = $cn ?? \"Ann\"",
        ),
        Code::L04 => explained(
            "The attribute is declared with several values, and `$x` reads the first. If that is meant, `$x[0]` says so.",
            "attrs { mail: string list }\nemail = $mail",
            "attrs { mail: string list }\nemail = $mail[0]",
        ),
        Code::L05 => explained(
            "The function can fail on some entry, and then the attribute has no result. The twin with `?` gives absent.",
            "phone_number = e164($telephoneNumber, \"DE\")",
            "phone_number = e164?($telephoneNumber, \"DE\")",
        ),
        Code::L06 => explained(
            "Without `^` and `$` a check is content with a match anywhere in the text.",
            "nickname = $uid with check /[a-z]+/",
            "nickname = $uid with check /^[a-z]+$/",
        ),
        Code::L07 => explained(
            "No test of the mapping expects anything of this rule, so nobody would notice when it breaks.",
            "name = $cn\nnickname = $uid\ntest \"a name\" { given { cn: \"x\" } expect { name: \"x\" } }",
            "name = $cn\nnickname = $uid\ntest \"a name\" { given { cn: \"x\", uid: \"u\" } expect { name: \"x\", nickname: \"u\" } }",
        ),
        Code::L08 => explained(
            "People marry and move: mail, user principal name and common name change, and the `user_id` made of them would\n\
             be another person's. Directories have an attribute that never changes.",
            "user_id = $mail with create, required",
            "user_id = $entryUUID with create, required",
        ),
        Code::L09 => explained(
            "A verified address may open an account of that address. Nothing in the source vouches for this one.",
            "email = $mail\nemail_verified = true",
            "email = $mail\nemail_verified = present($mail)",
        ),
        Code::L10 => explained(
            "Two keys of the table are the same, or differ in case only: a look-up minds the case.",
            "table role { \"Admin\" => \"a\", \"admin\" => \"b\" }\napp_metadata.role = role[$title]",
            "table role { \"admin\" => \"a\" }\napp_metadata.role = role[lower($title)]",
        ),
        Code::L11 => explained(
            "An address that the source leaves out once would be deleted, and people sign in with it.",
            "email = $mail with absent clear",
            "email = $mail with absent keep",
        ),
        Code::L12 => explained(
            "Every group of the source becomes a group here. Directories have thousands, and what is in them is not meant\n\
             for every application.",
            "groups = [ g.rdn(\"CN\") for g in $memberOf[*] ]",
            "groups = [ g.rdn(\"CN\") for g in $memberOf[*] if g.under(\"OU=Apps,DC=corp,DC=example\") ]",
        ),
        Code::L13 => explained(
            "A sensitive value goes into an attribute that is shown in traces and logs.",
            "attrs { employeeNumber: string sensitive }\napp_metadata.number = $employeeNumber",
            "attrs { employeeNumber: string sensitive }\napp_metadata.number = $employeeNumber with sensitive",
        ),
        _ => explained(
            "Groups that are pushed or read from a directory are rows of their own, under the name the group mapping gives.\n\
             `groups` in a user mapping counts for logins only.",
            "mapping m from scim to profile\ngroups = [ g.display for g in $groups[*] if g.display like \"app-*\" ]",
            "mapping m from scim to group\nname = $displayName",
        ),
    }
}

/// Lints of what was probably mistyped, or left over from a copy.
const fn slip(code: Code) -> Explanation {
    match code {
        Code::L14 => explained(
            "The rule replaces an included one by the same.",
            "use \"shared.mapping\"\noverride name = $displayName",
            "use \"shared.mapping\"",
        ),
        Code::L15 => explained(
            "Providers may send any claim, so an unknown name is no error; this one is a letter away from a standard one.",
            "mapping m from oidc to profile\nemail = $emial",
            "mapping m from oidc to profile\nemail = $email",
        ),
        _ => explained(
            "A mapping goes by the name of its file: that is what connections use, what is published and what provenance\n\
             names. A header that says another name, left from a copy perhaps, sends readers to the wrong text.",
            "mapping acme from ldap to profile\nname = $cn",
            "mapping example from ldap to profile\nname = $cn",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{self, Compiled, Sources};
    use crate::tester::{TestRun, run_tests};

    struct Shared;

    impl Sources for Shared {
        fn include(&self, path: &str) -> Result<String, String> {
            match path {
                "shared.mapping" => Ok("mapping shared from ldap to profile\nname = $displayName\n".to_owned()),
                _ => Err("no such file".to_owned()),
            }
        }

        fn table(&self, _: &str) -> Result<Vec<u8>, String> {
            Err("no such file".to_owned())
        }
    }

    fn compiled(text: &str) -> Compiled {
        let header = if text.starts_with("mapping ") { "" } else { "mapping example from ldap to profile\n" };
        check::compile("example.mapping", &format!("{header}{text}\n"), &Shared)
    }

    fn codes(compiled: &Compiled) -> Vec<Code> {
        compiled.diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
    }

    fn tested(compiled: &Compiled) -> TestRun {
        run_tests(compiled.plan.as_ref().expect("a plan"), &compiled.tests, &[])
    }

    #[test]
    fn every_code_is_explained_in_words() {
        for code in Code::ALL {
            let found = explanation(*code);
            assert!(found.text.len() > 40 && found.text.ends_with('.'), "{code}");
            assert!(!found.example.is_empty() && found.example != found.instead, "{code}");
        }
        for (index, code) in Code::ALL.iter().enumerate() {
            let again = Code::ALL[..index].iter().find(|other| explanation(**other) == explanation(*code));
            assert_eq!(again, None, "{code} has the words of another");
        }
    }

    #[test]
    fn the_example_of_a_mistake_makes_it_and_the_other_text_is_sound() {
        let mut wrong = Vec::new();
        for code in Code::ALL.iter().filter(|code| !is_of_a_run(**code)) {
            let found = explanation(*code);
            let (example, instead) = (compiled(found.example), compiled(found.instead));
            if !codes(&example).contains(code) {
                wrong.push(format!("{code}, the example: {:?}", example.diagnostics));
            }
            if instead.plan.is_none() || codes(&instead).contains(code) {
                wrong.push(format!("{code}, the other text: {:?}", instead.diagnostics));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_example_of_a_run_shows_it_in_its_test() {
        for code in Code::ALL.iter().filter(|code| is_of_a_run(**code)) {
            let found = explanation(*code);
            for text in [found.example, found.instead] {
                let compiled = compiled(text);
                assert!(compiled.plan.is_some(), "{code}: {:?}", compiled.diagnostics);
                let run = tested(&compiled);
                assert!(run.passed(), "{code}: {:#?}", run.tests);
                // Whether a candidate is free only a store can say.
                assert!(!run.tests.is_empty() || *code == Code::M114, "{code}");
            }
            if *code == Code::L07 {
                assert_eq!(tested(&compiled(found.example)).untested, [1]);
                assert!(tested(&compiled(found.instead)).untested.is_empty());
            } else if *code != Code::M114 {
                assert!(found.example.contains(code.as_str()), "{code}: the test names it");
            }
        }
    }

    /// What compiling can't say.
    fn is_of_a_run(code: Code) -> bool {
        code == Code::L07 || ["M1", "N"].iter().any(|start| code.as_str().starts_with(start))
    }
}
