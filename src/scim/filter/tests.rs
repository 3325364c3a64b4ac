mod strictness;

use super::ast::{Filter, Operator, Value};
use super::*;
use crate::model::query::{Comparison, Field, Index, Kind, Literal, Query};
use crate::scim::mode::Mode;
use crate::scim::path::AttributePath;
use crate::scim::schema::{ENTERPRISE_URN, GROUP_URN, USER_URN, registry};
use proptest::prelude::*;
use serde_json::json;

const STRICT: Mode = Mode { strict: true };
const COMPAT: Mode = Mode { strict: false };

fn parse(text: &str) -> Result<Filter, ScimError> {
    super::parse(text, COMPAT)
}

/// A filter printed with all its parentheses.
fn tree(text: &str) -> String {
    fn show(filter: &Filter) -> String {
        match filter {
            Filter::And(left, right) => format!("({} and {})", show(left), show(right)),
            Filter::Or(left, right) => format!("({} or {})", show(left), show(right)),
            Filter::Not(inner) => format!("not({})", show(inner)),
            Filter::Element(path, inner) => format!("{path}[{}]", show(inner)),
            term => term.to_string(),
        }
    }
    show(&parse(text).expect(text))
}

fn user(text: &str) -> Result<Query, ScimError> {
    user_in(COMPAT, text)
}

fn user_in(mode: Mode, text: &str) -> Result<Query, ScimError> {
    compile(&super::parse(text, mode)?, &registry().user, mode)
}

fn group(text: &str) -> Result<Query, ScimError> {
    compile(&parse(text)?, &registry().group, COMPAT)
}

#[track_caller]
fn assert_refused(text: &str) {
    let error = user(text).expect_err(text);
    assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidFilter)), "{text}");
}

fn bjensen() -> serde_json::Map<String, serde_json::Value> {
    let user = json!({
        "schemas": [USER_URN, ENTERPRISE_URN],
        "id": "2819c223",
        "externalId": "AbC",
        "userName": "bjensen",
        "name": {"familyName": "O'Malley", "givenName": "Barbara"},
        "displayName": "Babs \"B\" Jensen",
        "active": true,
        "emails": [
            {"value": "b@work.example", "type": "work", "primary": true},
            {"value": "b@home.example", "type": "home"},
        ],
        "x509Certificates": [{"value": "MIIB"}],
        "groups": [{"value": "g1", "display": "Tour Guides", "type": "direct"}],
        ENTERPRISE_URN: {"department": "Tours", "manager": {"value": "26118915"}},
        "meta": {
            "resourceType": "User",
            "created": "2010-01-23T04:56:22Z",
            "lastModified": "2011-05-13T04:42:34Z",
            "version": "W/\"3694\"",
        },
    });
    user.as_object().expect("an object").clone()
}

fn finds(text: &str) -> bool {
    user(text).unwrap_or_else(|error| panic!("{text}: {error}")).matches(&bjensen())
}

mod grammar {
    use super::*;

    #[test]
    fn and_binds_tighter_than_or_and_not_tighter_than_both() {
        assert_eq!(tree("a pr or b pr and c pr"), "(a pr or (b pr and c pr))");
        assert_eq!(tree("a pr and b pr or c pr"), "((a pr and b pr) or c pr)");
        assert_eq!(tree("not (a pr) and b pr"), "(not(a pr) and b pr)");
        assert_eq!(tree("(a pr or b pr) and c pr"), "((a pr or b pr) and c pr)");
        assert_eq!(tree("a pr and b pr and c pr"), "((a pr and b pr) and c pr)");
    }

    #[test]
    fn keywords_and_operators_match_in_any_case() {
        assert_eq!(tree("a PR AND NOT(b Eq 1) Or c pr"), "((a pr and not(b eq 1)) or c pr)");
    }

    #[test]
    fn values_are_json() {
        assert_eq!(parse(r#"a eq "q\"\\\/\u00e9\ud83d\ude00""#), parse("a eq \"q\\\"\\\\/é😀\""));
        for (text, value) in [
            ("true", Value::Boolean(true)),
            ("false", Value::Boolean(false)),
            ("null", Value::Null),
            ("12", Value::Number(12.into())),
            ("-1.5e2", Value::Number(serde_json::Number::from_f64(-150.0).expect("finite"))),
            ("\"12\"", Value::String("12".into())),
        ] {
            assert_eq!(
                parse(&format!("a eq {text}")),
                Ok(Filter::Compare(AttributePath::parse("a").expect("a path"), Operator::Eq, value)),
                "{text}"
            );
        }
    }

    #[test]
    fn bare_words_are_strings() {
        assert_eq!(parse("userName eq bjensen@example.com"), parse(r#"userName eq "bjensen@example.com""#));
        assert_eq!(parse("meta.created gt 2011-05-13T04:42:34Z"), parse(r#"meta.created gt "2011-05-13T04:42:34Z""#));
        assert_eq!(parse("(a sw b)"), parse(r#"a sw "b""#));
        assert_eq!(parse("active eq True"), parse(r#"active eq "True""#));
    }

    #[test]
    fn a_condition_behind_the_bracket_is_about_the_same_element() {
        assert_eq!(tree(r#"emails[type eq "work"].value eq "x""#), r#"emails[(type eq "work" and value eq "x")]"#);
        assert_eq!(tree(r#"emails[type eq "work"].value pr and a pr"#), r#"(emails[(type eq "work" and value pr)] and a pr)"#);
    }

    #[test]
    fn brackets_hold_a_whole_filter() {
        assert_eq!(tree("emails[not (a pr) and (b pr or c pr)]"), "emails[(not(a pr) and (b pr or c pr))]");
        assert_eq!(tree("emails [ a pr ] or b pr"), "(emails[a pr] or b pr)");
    }

    #[test]
    fn malformed_filters_are_refused() {
        for text in [
            "",
            " ",
            "userName",
            "userName eq",
            "eq",
            "userName xx \"a\"",
            "userName eq \"a",
            "userName eq \"\\x\"",
            "userName eq \"\\ud800\"",
            "userName eq\"a\"",
            "userName eq \"a\" userName pr",
            "userName eq \"a\" and",
            "and userName pr",
            "(userName pr",
            "userName pr)",
            "not userName pr",
            "not (userName pr",
            "()",
            "emails[]",
            "emails[type pr",
            "emails type pr]",
            "emails[type pr]]",
            "emails[emails[type pr]]",
            "\"userName\" eq \"a\"",
            "userName eq and",
            "userName eq (a)",
            "userName[",
            "userName.. pr",
            "userName pr pr",
            "user name eq \"a\"",
            "userName eq \"a\tb\"",
            "emails[type pr].value",
            "1abc pr",
            "a=b",
        ] {
            assert_refused(text);
        }
    }
}

mod limits {
    use super::*;

    #[test]
    fn four_thousand_parentheses_are_refused() {
        assert_refused(&format!("{}userName pr", "(".repeat(4_000)));
        assert_refused(&"not(".repeat(1_000));
        assert_refused(&"emails[".repeat(500));
    }

    #[test]
    fn depth_terms_value_paths_and_length_have_a_maximum() {
        let nested = |depth: usize| format!("{}userName pr{}", "(".repeat(depth), ")".repeat(depth));
        let terms = |count: usize| vec!["title pr"; count].join(" or ");
        let paths = |count: usize| vec!["emails[type pr]"; count].join(" or ");
        let long = |length: usize| format!("title eq \"{}\"", "x".repeat(length - "title eq \"\"".len()));
        for fits in [nested(DEPTH_MAX), terms(TERMS_MAX), paths(VALUE_PATHS_MAX), long(LENGTH_MAX)] {
            assert!(user(&fits).is_ok(), "{}", excerpt(&fits));
        }
        for exceeds in [nested(DEPTH_MAX + 1), terms(TERMS_MAX + 1), paths(VALUE_PATHS_MAX + 1), long(LENGTH_MAX + 1)] {
            assert_refused(&exceeds);
        }
    }

    #[test]
    fn an_error_does_not_echo_the_whole_filter() {
        let error = parse(&"x".repeat(4_000)).expect_err("no operator");
        assert!(error.detail.len() < 300, "{}", error.detail);
    }
}

mod meaning {
    use super::*;

    #[test]
    fn user_name_ignores_case_and_ids_do_not() {
        assert!(finds(r#"userName eq "BJENSEN""#) && finds(r#"USERNAME Eq "bjensen""#));
        assert!(finds(r#"externalId eq "AbC""#) && !finds(r#"externalId eq "abc""#));
        assert!(finds(r#"id eq "2819c223""#) && !finds(r#"id eq "2819C223""#));
    }

    #[test]
    fn attributes_that_must_be_filterable() {
        for text in [
            r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user""#,
            r#"meta.resourceType eq "User""#,
            r#"meta.version eq "W/\"3694\"""#,
            r#"meta.lastModified gt "2011-05-13T04:42:33Z""#,
            r#"meta.created le "2010-01-23T04:56:22Z""#,
            r#"groups.value eq "g1""#,
            r#"groups eq "g1""#,
            r#"groups.display sw "tour""#,
            r#"groups.type eq "direct""#,
            r#"groups[value eq "g1" and type eq "direct"]"#,
            r#"name.familyName co "O'Malley""#,
            "active eq true",
            "groups pr",
        ] {
            assert!(finds(text), "{text}");
        }
        let group_document = json!({"id": "g1", "members": [{"value": "u1", "type": "User", "display": "Babs"}]});
        for text in [
            r#"id eq "g1" and members eq "u1""#,
            r#"members.value eq "u1""#,
            r#"members[value eq "u1" and type eq "user"]"#,
            r#"members.display co "bab""#,
            r#"members.type ne "Group""#,
            "members pr",
        ] {
            let query = group(text).expect(text);
            assert!(query.matches(group_document.as_object().expect("an object")), "{text}");
        }
    }

    #[test]
    fn escapes_are_read() {
        assert!(finds(r#"displayName eq "babs \"b\" jensen""#));
        assert!(finds(r#"displayName co "\u0042abs""#));
    }

    #[test]
    fn eq_null_is_not_present_and_ne_null_is_present() {
        assert!(finds("title eq null") && !finds("title ne null") && finds("userName ne null") && !finds("userName eq null"));
        assert!(finds(r#"title eq """#) && finds(r#"userName ne """#) && !finds(r#"userName eq """#));
        assert!(finds("name ne null") && finds("emails ne null") && finds("photos eq null"));
    }

    #[test]
    fn ne_is_true_for_what_is_unassigned() {
        assert!(finds(r#"title ne "x""#) && !finds(r#"userName ne "bjensen""#));
        assert!(finds(r#"emails.value ne "b@work.example""#), "another element differs");
    }

    #[test]
    fn brackets_ask_one_element_and_dots_may_ask_two() {
        assert!(finds(r#"emails[type eq "work" and value co "@work"]"#));
        assert!(!finds(r#"emails[type eq "work" and value co "@home"]"#));
        assert!(finds(r#"emails.type eq "work" and emails.value co "@home""#));
        assert!(!finds(r#"not (emails[type eq "work"])"#) && finds(r#"not (emails[type eq "other"])"#));
        assert!(finds(r#"emails[type eq "work"].value eq "b@work.example""#));
        assert!(finds(r#"emails[type ne "work"]"#) && !finds(r#"emails[type ne "work" and type ne "home"]"#));
        assert!(finds(r#"emails[type eq "x" or value sw "b@"]"#));
    }

    #[test]
    fn a_list_without_sub_attribute_means_its_value() {
        assert!(finds(r#"emails eq "B@home.example""#) && finds(r#"emails co "@work""#));
        assert!(finds(&format!(r#"{ENTERPRISE_URN}:manager eq "26118915""#)));
    }

    #[test]
    fn urns_and_unprefixed_enterprise_names() {
        assert!(finds(&format!(r#"{USER_URN}:userName eq "bjensen""#)));
        assert!(finds(&format!(r#"{ENTERPRISE_URN}:department eq "tours""#)));
        assert!(finds(&format!(r#"{ENTERPRISE_URN}:manager.value eq "26118915""#)));
        assert!(finds(r#"department eq "tours""#) && finds("manager pr"));
        assert_refused(&format!(r#"{GROUP_URN}:displayName eq "x""#));
    }

    #[test]
    fn times_compare_as_instants_whatever_their_zone() {
        assert!(finds(r#"meta.created eq "2010-01-23T05:56:22+01:00""#));
        assert!(finds("meta.created eq 2010-01-23T04:56:22"), "without a zone it is UTC");
        for text in
            [r#"meta.created gt "yesterday""#, r#"meta.created gt "2010-01-23""#, "meta.created gt 5", r#"meta.created eq """#]
        {
            assert_refused(text);
        }
    }

    #[test]
    fn booleans_may_be_quoted() {
        assert!(finds(r#"active eq "True""#) && finds("active eq TRUE") && !finds(r#"active eq "false""#));
        assert!(finds("emails.primary eq true") && finds("active ne false"));
    }
}

mod refusals {
    use super::*;

    #[test]
    fn an_unknown_attribute_is_refused() {
        for text in ["nope pr", "name.nope pr", "emails[nope pr]", "userName.x pr", "urn:x:y pr", "members pr", "schemas.x pr"] {
            assert_refused(text);
        }
        assert_refused(ENTERPRISE_URN);
        assert_refused(&format!("{ENTERPRISE_URN} pr"));
    }

    #[test]
    fn what_is_never_returned_can_not_be_asked_about() {
        for text in ["password pr", r#"password eq "x""#, r#"PASSWORD sw "x""#, r#"not (password co "x")"#, "password eq null"] {
            assert_refused(text);
        }
        assert_refused(&format!(r#"{USER_URN}:password sw "a""#));
    }

    #[test]
    fn an_error_does_not_tell_what_was_compared_with() {
        for text in [
            r#"password eq "s3cret""#,
            "password eq s3cret x",
            r#"password eq "s3cret"#,
            r#"password eq "s3cret" "s3cret""#,
            r#"password eq "\xs3cret""#,
            "active eq s3cret",
            r#"password eq"s3cret""#,
            "password eq (s3cret",
        ] {
            let error = user(text).expect_err(text);
            assert!(!error.detail.contains("s3cret"), "{}", error.detail);
        }
    }

    #[test]
    fn operators_a_type_lacks_are_refused() {
        for operator in ["gt", "ge", "lt", "le", "co", "sw", "ew"] {
            assert_refused(&format!("active {operator} true"));
            assert_refused(&format!(r#"x509Certificates.value {operator} "MIIB""#));
        }
        for operator in ["co", "sw", "ew"] {
            assert_refused(&format!(r#"meta.created {operator} "2010-01-23T04:56:22Z""#));
            assert_refused(&format!(r#"userName {operator} """#));
            assert_refused(&format!("userName {operator} null"));
        }
        assert!(finds(r#"x509Certificates eq "MIIB""#) && !finds(r#"x509Certificates eq "miib""#));
        assert!(user(r#"profileUrl co "example""#).is_ok());
    }

    #[test]
    fn unquoted_digits_are_text_where_the_attribute_is() {
        assert!(user("userName eq 701984").is_ok());
    }

    #[test]
    fn values_of_another_type_are_refused() {
        for text in
            ["userName eq 1.5", "userName eq true", r#"active eq "yes""#, "active eq 1", "userName gt null", r#"active eq """#]
        {
            assert_refused(text);
        }
    }

    #[test]
    fn complex_attributes_without_a_value_can_not_be_compared() {
        for text in
            [r#"name eq "x""#, r#"addresses eq "x""#, r#"meta co "x""#, r#"userName[value eq "x"]"#, r#"schemas[value eq "x"]"#]
        {
            assert_refused(text);
        }
    }
}

mod indexes {
    use super::*;

    fn index_of(query: Result<Query, ScimError>) -> Index {
        match query {
            Ok(Query::Compare(Field { index, .. }, ..) | Query::Present(Field { index, .. })) => index,
            other => panic!("not one comparison: {other:?}"),
        }
    }

    #[test]
    fn each_indexed_attribute_says_where_it_is() {
        for (text, index) in [
            (r#"id eq "x""#, Index::Id),
            (r#"userName eq "x""#, Index::UserName),
            (r#"externalId eq "x""#, Index::ExternalId),
            ("active eq true", Index::Active),
            (r#"meta.created gt "2010-01-23T04:56:22Z""#, Index::CreatedAt),
            (r#"meta.lastModified gt "2010-01-23T04:56:22Z""#, Index::UpdatedAt),
            (r#"groups eq "g""#, Index::GroupsOfMember),
            (r#"groups[value eq "g"]"#, Index::GroupsOfMember),
            ("groups pr", Index::GroupsOfMember),
            (r#"emails eq "x""#, Index::Values("emails.value".into())),
            (r#"emails[value eq "x"]"#, Index::Values("emails.value".into())),
            (r#"department eq "x""#, Index::Values("department".into())),
            (r#"emails.type eq "x""#, Index::Document),
            ("emails pr", Index::Document),
        ] {
            assert_eq!(index_of(user(text)), index, "{text}");
        }
        assert_eq!(index_of(group(r#"displayName eq "x""#)), Index::GroupName);
        assert_eq!(index_of(group(r#"members[value eq "x"]"#)), Index::MembersOfGroup);
        assert_eq!(index_of(user(r#"displayName eq "x""#)), Index::Values("displayName".into()));
    }

    #[test]
    fn an_element_filter_is_joined_by_the_indexed_condition_that_follows_from_it() {
        let query = user(r#"emails[type eq "work"].value eq "x""#).expect("a query");
        let Query::And(parts) = query else { panic!("two parts") };
        let [Query::Compare(field, Comparison::Equal, Literal::Text(value)), Query::Element { list, matches }] = &parts[..]
        else {
            panic!("{parts:?}");
        };
        assert_eq!(
            (field.path.join("."), &field.index, value.as_str()),
            ("emails.value".into(), &Index::Values("emails.value".into()), "x")
        );
        assert_eq!((list.path.join("."), list.kind), ("emails".into(), Kind::Complex));
        assert!(!format!("{matches:?}").contains("Values"), "no index inside an element");
    }
}

mod properties {
    use super::*;

    fn path() -> impl Strategy<Value = AttributePath> {
        let text = prop_oneof!["[a-zA-Z$][a-zA-Z0-9_-]{0,8}(\\.[a-zA-Z$][a-z]{0,5})?", "urn:[a-z]{1,6}:2\\.0:User:[a-z]{1,6}"];
        text.prop_filter_map("keywords are no paths", |text| {
            let keyword = ["not"].iter().any(|word| word.eq_ignore_ascii_case(&text));
            AttributePath::parse(&text).filter(|_| !keyword)
        })
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<String>().prop_map(Value::String),
            any::<i64>().prop_map(|number| Value::Number(number.into())),
            any::<u64>().prop_map(|number| Value::Number(number.into())),
            any::<f64>().prop_filter_map("finite", serde_json::Number::from_f64).prop_map(Value::Number),
            any::<bool>().prop_map(Value::Boolean),
            Just(Value::Null),
        ]
    }

    fn term() -> impl Strategy<Value = Filter> {
        let compare = (path(), prop::sample::select(&Operator::ALL[..]), value());
        prop_oneof![
            path().prop_map(Filter::Present),
            compare.prop_map(|(path, operator, value)| Filter::Compare(path, operator, value)),
        ]
    }

    fn combined(leaf: impl Strategy<Value = Filter> + 'static) -> impl Strategy<Value = Filter> {
        leaf.prop_recursive(4, 16, 2, |inner| {
            let pair = (inner.clone(), inner.clone()).prop_map(|(left, right)| (Box::new(left), Box::new(right)));
            prop_oneof![
                pair.clone().prop_map(|(left, right)| Filter::And(left, right)),
                pair.prop_map(|(left, right)| Filter::Or(left, right)),
                inner.prop_map(|filter| Filter::Not(Box::new(filter))),
            ]
        })
    }

    fn filter() -> impl Strategy<Value = Filter> {
        let element = (path(), combined(term())).prop_map(|(path, inner)| Filter::Element(path, Box::new(inner)));
        combined(prop_oneof![4 => term(), 1 => element])
    }

    /// Text that looks like a filter more often than random text does.
    fn scraps() -> impl Strategy<Value = String> {
        let scraps = [
            "(",
            ")",
            "[",
            "]",
            "\"",
            "\\",
            " ",
            "not",
            "and",
            "or",
            "pr",
            "eq",
            "co",
            "userName",
            "emails",
            ".value",
            "active",
            "true",
            "null",
            "1e9",
            "\"x\"",
            "urn:ietf:params:scim:schemas:core:2.0:User:",
            "é",
            "\u{0}",
        ];
        prop::collection::vec(prop::sample::select(scraps.to_vec()), 0..24).prop_map(|words| words.join(""))
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back_to_the_same_tree(filter in filter()) {
            let text = filter.to_string();
            // A tree can be larger than a filter may be.
            if text.len() <= LENGTH_MAX && text.matches('[').count() <= VALUE_PATHS_MAX {
                prop_assert_eq!(super::super::parse(&text, STRICT), Ok(filter), "{}", text);
            }
        }

        #[test]
        fn no_text_panics(text in prop_oneof![any::<String>(), scraps()]) {
            if let Ok(filter) = parse(&text) {
                let printed = filter.to_string();
                prop_assert!(printed.len() > LENGTH_MAX || parse(&printed) == Ok(filter.clone()), "{}", printed);
                for mode in [STRICT, COMPAT] {
                    let _ = compile(&filter, &registry().user, mode);
                    let _ = compile(&filter, &registry().group, mode);
                }
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn a_user_name_is_found_by_itself_however_it_is_written(name in "[^\\x00]{1,20}") {
            let quoted = serde_json::to_string(&name).expect("json");
            let document = json!({"userName": name});
            let document = document.as_object().expect("an object");
            let holds = |operator: &str| {
                user(&format!("userName {operator} {quoted}")).expect("a filter").matches(document)
            };
            prop_assert!(!holds("ne"));
            for operator in ["eq", "co", "sw", "ew", "ge", "le"] {
                prop_assert!(holds(operator), "{}", operator);
            }
        }
    }
}
