//! Lists: `GET /Users`, `GET /Groups`, `GET /` and their `/.search`. One way from the parameters to the answer, whichever of
//! them a client uses.

use super::Call;
use super::answer::{Answer, Refused};
use super::cursor::{self, Begin, Cursors};
use super::derived::{self, Derived};
use super::pages::{self, Page};
use super::render;
use super::route::Resources;
use super::source::Sources;
use super::walk::Budget;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::list::ListParams;
use crate::store::lists::Item;
use axum::body::Body;

/// Several kinds of resources are one list: all of the first kind, then all of the next, or by `sortBy`.
pub(super) async fn get(call: &Call<'_>, which: &[Resources]) -> Result<Answer, Refused> {
    let params = ListParams::parse(call.query.iter().map(|(name, value)| (name.as_str(), value.as_str())), call.scim.page_sizes)?;
    list(call, which, params).await
}

/// The same of a SearchRequest.
pub(super) async fn search(call: &Call<'_>, which: &[Resources], body: Body) -> Result<Answer, Refused> {
    let body = call.json(body).await?;
    let Some(body) = body.as_object() else {
        return Err(ScimError::of(ScimType::InvalidSyntax, "the body must be a SearchRequest object").into());
    };
    let params = ListParams::from_search_request(body, call.scim.page_sizes, call.mode())?;
    list(call, which, params).await
}

async fn list(call: &Call<'_>, which: &[Resources], params: ListParams) -> Result<Answer, Refused> {
    let sources = Sources::read(call.registry, which, &params, call.mode(), Budget::entries_max(call.scim.scan_max))?;
    let Some(text) = &params.cursor else {
        let page = pages::by_index(call, &sources, params.offset(), params.count).await?;
        let texts = rendered(call, &sources, &page).await?;
        let head = render::ListHead { total: page.total, start_index: Some(params.start_index), next_cursor: None };
        return Ok(Answer::json(200, render::list(&head, &texts)));
    };
    let cursors = cursors(call, which, &params);
    let begin: Begin = cursors.open(text)?;
    let page = pages::by_cursor(call, &sources, begin, params.count).await?;
    let texts = rendered(call, &sources, &page).await?;
    let next = page.next.as_ref().map(|next| cursors.seal(next, &call.scim.entropy));
    let head = render::ListHead { total: page.total, start_index: None, next_cursor: next.as_deref() };
    Ok(Answer::json(200, render::list(&head, &texts)))
}

/// What seals the cursors of this list: they are the token's that asks, and for this question alone.
fn cursors<'a>(call: &Call<'a>, which: &[Resources], params: &ListParams) -> Cursors<'a> {
    let connection = call.connection;
    let asker = [connection.tenant_id.as_str(), connection.id.as_str(), call.actor.as_str()];
    let texts = [&params.filter, &params.sort_by, &params.sort_order, &params.attributes, &params.excluded_attributes];
    // Nothing said and an empty text may mean two questions.
    let texts = texts.map(|text| text.as_ref().map_or_else(String::new, |text| format!("={text}")));
    let question: Vec<&str> = which.iter().map(|which| which.segment()).chain(texts.iter().map(String::as_str)).collect();
    Cursors {
        keys: &call.scim.keys,
        bound_to: cursor::bound_to(&asker, &question),
        count: params.count,
        now: call.scim.clock.now(),
        lives_s: call.scim.cursor_timeout_s,
    }
}

/// The resources of a page as text, in its order.
async fn rendered(call: &Call<'_>, sources: &Sources, page: &Page) -> Result<Vec<String>, Refused> {
    let mut all = Vec::with_capacity(sources.list.len());
    for (at, source) in sources.list.iter().enumerate() {
        let of_source: Vec<&Item> = page.items.iter().filter(|(source, _)| *source == at).map(|(_, item)| item).collect();
        let is_wanted = source.projection.wants(derived::attribute(source.which));
        all.push(if is_wanted { Derived::read(call, source.which, &of_source).await? } else { Derived::default() });
    }
    let text = |(at, item): &(usize, Item)| {
        let source = &sources.list[*at];
        render::text(&call.base, source.which, &item.raw, &all[*at].owned(item), &source.projection)
    };
    Ok(page.items.iter().map(text).collect())
}
