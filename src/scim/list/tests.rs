use super::*;
use proptest::prelude::*;
use serde_json::json;

const PAGES: PageSizes = PageSizes { default: 100, max: 200 };

fn parse(query: &[(&str, &str)]) -> Result<ListParams, ScimError> {
    ListParams::parse(query.iter().copied(), PAGES)
}

fn page(name: &str, value: &str) -> (i64, i64) {
    let params = parse(&[(name, value)]).expect(value);
    (params.start_index, params.count)
}

#[test]
fn defaults_are_the_first_hundred() {
    let params = parse(&[]).expect("nothing");
    assert_eq!((params.start_index, params.count, params.offset()), (1, 100, 0));
    assert_eq!(params, ListParams::first(PAGES));
}

#[test]
fn start_index_below_one_is_one() {
    assert_eq!(page("startIndex", "0"), (1, 100));
    assert_eq!(page("startIndex", "-5"), (1, 100));
    assert_eq!(page("startIndex", "101"), (101, 100));
    assert_eq!(page("STARTINDEX", "3"), (3, 100));
}

#[test]
fn count_is_clamped_silently() {
    for (sent, count) in [("0", 0), ("-1", 0), ("1", 1), ("200", 200), ("201", 200), ("", 100)] {
        assert_eq!(page("count", sent), (1, count), "{sent}");
    }
    assert_eq!(page("count", "9999999999999999999999999"), (1, 200));
    assert_eq!(page("count", "-9999999999999999999999999"), (1, 0));
    assert_eq!(page("startIndex", "9999999999999999999999999"), (i64::MAX, 100));
}

#[test]
fn the_sizes_of_pages_are_those_configured() {
    let pages = PageSizes { default: 2, max: 3 };
    for (sent, count) in [(None, 2), (Some("2"), 2), (Some("3"), 3), (Some("4"), 3), (Some(""), 2)] {
        let query = sent.map(|sent| ("count", sent));
        assert_eq!(ListParams::parse(query, pages).expect("pairs").count, count, "{sent:?}");
        let body = json!({"count": sent});
        let params =
            ListParams::from_search_request(body.as_object().expect("an object"), pages, Mode::default()).expect("a body");
        assert_eq!(params.count, count, "{sent:?}");
    }
}

#[test]
fn what_is_no_integer_is_an_invalid_value() {
    for text in ["ten", "1.5", "1e3", "-", "0x10", "1 2"] {
        for name in ["count", "startIndex"] {
            let error = parse(&[(name, text)]).expect_err(text);
            assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidValue)), "{name}={text}");
        }
    }
}

#[test]
fn a_second_filter_is_refused() {
    let error = parse(&[("filter", "a pr"), ("Filter", "a pr")]).expect_err("two filters");
    assert_eq!(error.scim_type, Some(ScimType::InvalidFilter));
}

#[test]
fn an_empty_filter_is_handed_on_and_not_dropped() {
    let params = parse(&[("filter", "")]).expect("pairs");
    assert_eq!(params.filter.as_deref(), Some(""));
    assert!(crate::scim::filter::parse("", Mode::default()).is_err());
}

#[test]
fn unknown_parameters_and_dangling_ampersands_are_ignored() {
    let params = parse(&[("aadOptscim062020", ""), ("", ""), ("x", "y"), ("sortBy", "userName"), ("attributes", " ")]);
    assert_eq!(params, Ok(ListParams { sort_by: Some("userName".into()), ..ListParams::first(PAGES) }));
}

#[test]
fn a_search_request_says_the_same_in_a_body() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "attributes": ["displayName", "userName"],
        "filter": "displayName sw \"smith\"",
        "startIndex": 1,
        "count": 10,
        "sortBy": null,
        "other": {},
    });
    let params = ListParams::from_search_request(body.as_object().expect("an object"), PAGES, Mode { strict: true });
    let expected = ListParams {
        count: 10,
        filter: Some("displayName sw \"smith\"".into()),
        attributes: Some("displayName,userName".into()),
        ..ListParams::first(PAGES)
    };
    assert_eq!(params, Ok(expected));
    for wrong in [json!({"count": 1.5}), json!({"count": []}), json!({"filter": 1}), json!({"attributes": [1]})] {
        let error = ListParams::from_search_request(wrong.as_object().expect("an object"), PAGES, Mode::default())
            .expect_err("a wrong type");
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{wrong}");
    }
}

#[test]
fn schemas_of_a_search_request_are_judged_by_mode() {
    let read = |schemas: Value, strict| {
        let body = json!({"schemas": schemas, "count": 7});
        ListParams::from_search_request(body.as_object().expect("an object"), PAGES, Mode { strict })
    };
    let wrong = [json!(null), json!([]), json!("x"), json!([LIST_URN]), json!([7])];
    for schemas in wrong {
        assert_eq!(read(schemas.clone(), false).map(|params| params.count), Ok(7), "{schemas}");
        assert_eq!(read(schemas.clone(), true).expect_err("wrong").scim_type, Some(ScimType::InvalidSyntax), "{schemas}");
    }
    assert!(read(json!([SEARCH_URN.to_uppercase()]), true).is_ok());
}

#[test]
fn a_cursor_begins_empty_and_takes_no_start_index() {
    for begins in [&[("cursor", "")][..], &[("CURSOR", ""), ("startIndex", ""), ("count", "")]] {
        let params = parse(begins).expect("a beginning");
        assert_eq!((params.cursor.as_deref(), params.count), (Some(""), 100));
    }
    assert_eq!(parse(&[("cursor", "a-_.~")]).expect("a cursor").cursor.as_deref(), Some("a-_.~"));
    let error = parse(&[("startIndex", "1"), ("cursor", "")]).expect_err("both");
    assert_eq!(error.scim_type, Some(ScimType::InvalidCursor));
}

#[test]
fn with_a_cursor_count_is_not_clamped() {
    let count = |text| parse(&[("cursor", ""), ("count", text)]).map(|params| params.count);
    assert_eq!((count("1"), count("200")), (Ok(1), Ok(200)));
    for text in ["0", "-1", "201", "1000000000", "99999999999999999999999999", "ten", "1.5"] {
        assert_eq!(count(text).expect_err(text).scim_type, Some(ScimType::InvalidCount), "{text}");
    }
}

#[test]
fn a_page_says_how_much_it_holds() {
    let list = |resources: Vec<Value>| serde_json::to_value(ListResponse::new(7, 3, resources)).expect("json");
    let expected = json!({
        "schemas": [LIST_URN],
        "totalResults": 7,
        "startIndex": 3,
        "itemsPerPage": 1,
        "Resources": [{"id": "1"}],
    });
    assert_eq!(list(vec![json!({"id": "1"})]), expected);
    assert_eq!(list(vec![])["Resources"], json!([]));
}

proptest! {
    #[test]
    fn any_query_gives_a_page_within_bounds_or_an_error(pairs in prop::collection::vec(
        (prop_oneof![Just("count".to_owned()), Just("startIndex".to_owned()), any::<String>()], prop_oneof!["-?[0-9]{0,30}", any::<String>()]), 0..6,
    )) {
        if let Ok(params) = ListParams::parse(pairs.iter().map(|(name, value)| (name, value)), PAGES) {
            prop_assert!(params.start_index >= 1 && (0..=PAGES.max).contains(&params.count));
        }
    }
}
