//! `GET /users`: everybody, or those a search finds (`q`, or the connection they are known at), in an order; by offset, with or without
//! totals, or by checkpoint.

use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::{Offset, Page};
use crate::api::problem::Problem;
use crate::clock::{Micros, SECOND};
use crate::model::user_search::{Identity, SORTED, Test, UserQuery};
use crate::search;
use crate::store::Value as Stored;
use crate::store::user_search::{self, Begin, Order, OrderBy, Position, Wanted};
use serde_json::{Value, json};

const LIST: &str = "users";
/// How long a search may take.
const TIME: Micros = 2 * SECOND;

pub(in crate::api) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let (query, order) = (query(call)?, order(call)?);
    let now = call.api.clock.now();
    let mut wanted = Wanted { query: &query, order, begin: Begin::After(None), take: 0, total: false, until: now + TIME };
    let (store, tenant) = (&call.api.store, &call.tenant);
    if let Some(offset) = Offset::of(call)? {
        wanted.begin = Begin::Offset(offset.start());
        wanted.take = offset.per_page;
        wanted.total = offset.has_totals();
        let found = user_search::search(store, tenant, &wanted).await?.ok_or_else(took_too_long)?;
        let users = super::shown_all(call, &found.users).await?;
        return Ok(Answer::ok(offset.answer(LIST, users, found.total.unwrap_or_default())));
    }
    // A checkpoint belongs to what was asked and to its order.
    let part = |name: &str| call.parameter(name).unwrap_or_default().to_owned();
    let list = format!("{LIST} {} {} {}", part("sort"), part("connection"), part("q"));
    let page = Page::of(call, &list)?;
    let position = position(&page.after).ok_or_else(|| Problem::query("Query validation error: 'from' is of another version"))?;
    wanted.begin = Begin::After(position);
    wanted.take = page.take;
    let found = user_search::search(store, tenant, &wanted).await?.ok_or_else(took_too_long)?;
    let mut answer = json!({ LIST: super::shown_all(call, &found.users).await? });
    if let Some(next) = &found.next {
        answer["next"] = Page::next(call, &list, &sealed(next)).into();
    }
    Ok(Answer::ok(answer))
}

fn took_too_long() -> Problem {
    Problem::search_timeout(
        "the search took longer than 2 seconds: no index serves it; add a field that few users match, or leave out include_totals",
    )
}

/// What is asked of users.
fn query(call: &Call<'_>) -> Result<UserQuery, Problem> {
    match call.parameter("search_engine") {
        None | Some("v3") => {}
        Some(_) => return Err(Problem::query("Query validation error: 'search_engine' must be v3, the only one there is")),
    }
    let mut parts = Vec::new();
    if let Some(text) = call.parameter("q") {
        let refused = |refused: search::Refused| Problem::query(format!("Query validation error: 'q': {refused}"));
        if let Some(node) = search::parse(text).map_err(refused)? {
            parts.push(search::compile(&node).map_err(refused)?);
        }
    }
    if let Some(name) = call.parameter("connection") {
        parts.push(UserQuery::Test(Test::Identity(Identity::Connection(name.to_owned()))));
    }
    Ok(match parts.len() {
        0 => UserQuery::All,
        1 => parts.remove(0),
        _ => UserQuery::And(parts),
    })
}

/// `field:1` or `field:-1`.
fn order(call: &Call<'_>) -> Result<Order, Problem> {
    let Some(text) = call.parameter("sort") else { return Ok(Order { by: OrderBy::Creation, descending: false }) };
    let (field, way) = text.split_once(':').unwrap_or((text, "1"));
    let by = match field {
        "user_id" => Some(OrderBy::UserId),
        "email" => Some(OrderBy::Email),
        "created_at" => Some(OrderBy::CreatedAt),
        "updated_at" => Some(OrderBy::UpdatedAt),
        "last_login" => Some(OrderBy::LastLogin),
        "logins_count" => Some(OrderBy::LoginsCount),
        name => SORTED.into_iter().find(|known| *known == name).map(OrderBy::Value),
    };
    let descending = match way {
        "1" => Some(false),
        "-1" => Some(true),
        _ => None,
    };
    by.zip(descending).map(|(by, descending)| Order { by, descending }).ok_or_else(|| {
        Problem::query(
            "Query validation error: 'sort' must be a field and :1 or :-1; the fields are email, name, given_name, family_name, \
             nickname, user_id, created_at, updated_at, last_login and logins_count",
        )
    })
}

/// A position as a checkpoint holds it: it is sealed, and no one else reads it.
fn sealed(position: &Position) -> String {
    let key = match &position.key {
        Some(Stored::Text(Some(text))) => json!(text),
        Some(Stored::Int(Some(number))) => json!(number),
        _ => Value::Null,
    };
    json!([key, position.id]).to_string()
}

/// The same, read; `None` for what is none. The inner one: the beginning.
fn position(text: &str) -> Option<Option<Position>> {
    if text.is_empty() {
        return Some(None);
    }
    let (key, id): (Value, String) = serde_json::from_str(text).ok()?;
    let key = match key {
        Value::Null => None,
        Value::String(text) => Some(Stored::Text(Some(text))),
        Value::Number(number) => Some(Stored::Int(Some(number.as_i64()?))),
        _ => return None,
    };
    Some(Some(Position { key, id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written() {
        for key in [None, Some(Stored::Text(Some("é\"".into()))), Some(Stored::Int(Some(-7)))] {
            let at = Position { key, id: "0198".into() };
            assert_eq!(position(&sealed(&at)), Some(Some(at)));
        }
        assert_eq!(position(""), Some(None));
        for text in ["[]", "[{}, \"a\"]", "0198", "[1.5, \"a\"]"] {
            assert_eq!(position(text), None, "{text}");
        }
    }
}
