//! Lists: `GET /Users`, `GET /Groups` and their `/.search`. What the store can decide by its indexes it decides; the
//! rest is decided over documents under a budget, and past the budget the answer is `tooMany`, never a part.

use super::Call;
use super::answer::{Answer, Refused};
use super::render::{self, Also, Owned};
use super::route::Resources;
use crate::model::query::Query;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::filter;
use crate::scim::list::ListParams;
use crate::scim::projection::Projection;
use crate::scim::schema::{ResourceType, registry};
use crate::store::groups::{self, Listed, Membership};
use crate::store::lists::{self, Item};
use crate::store::query_sql::{self, Compiled, Target};
use axum::body::Body;
use std::collections::HashMap;

/// Rows read at a time while walking.
const WALK: i64 = 500;
/// Member rows one walk may read, all groups together.
const MEMBERS_MAX: usize = 100_000;

/// Several kinds of resources are one list: all of the first kind, then all of the next.
pub(super) async fn get(call: &Call<'_>, which: &[Resources]) -> Result<Answer, Refused> {
    let params = ListParams::parse(call.query.iter().map(|(name, value)| (name.as_str(), value.as_str())), call.scim.page_sizes)?;
    list(call, which, params).await
}

pub(super) async fn search(call: &Call<'_>, which: &[Resources], body: Body) -> Result<Answer, Refused> {
    let body = call.json(body).await?;
    let Some(body) = body.as_object() else {
        return Err(ScimError::of(ScimType::InvalidSyntax, "the body must be a SearchRequest object").into());
    };
    let params = ListParams::from_search_request(body, call.scim.page_sizes)?;
    list(call, which, params).await
}

fn resource_type(which: Resources) -> &'static ResourceType {
    match which {
        Resources::Users => &registry().user,
        Resources::Groups => &registry().group,
    }
}

fn target(which: Resources) -> Target {
    match which {
        Resources::Users => Target::Users,
        Resources::Groups => Target::Groups,
    }
}

async fn list(call: &Call<'_>, which: &[Resources], params: ListParams) -> Result<Answer, Refused> {
    let mode = call.mode();
    let filter = params.filter.as_deref().map(|text| filter::parse(text, mode)).transpose()?;
    let (mut total, mut texts) = (0, Vec::new());
    let (mut refused, mut asked) = (None, false);
    for each in which {
        let resource_type = resource_type(*each);
        let (attributes, excluded) = (params.attributes.as_deref(), params.excluded_attributes.as_deref());
        let projection = Projection::parse(attributes, excluded, resource_type, mode)?;
        let query = match filter.as_ref().map(|filter| filter::compile(filter, resource_type, mode)).transpose() {
            Ok(query) => query,
            // RFC 7644 §3.4.2.1: across types an attribute that one type lacks is no error, it does not match.
            Err(error) => {
                refused = Some(error);
                continue;
            }
        };
        asked = true;
        let shown = i64::try_from(texts.len()).unwrap_or(i64::MAX);
        let page = Page { offset: (params.offset() - total).max(0), count: params.count - shown };
        let (found, items) = find(call, *each, query.as_ref(), &page).await?;
        total += found;
        let derived = Derived::read(call, *each, &items, &projection).await?;
        texts.extend(items.iter().map(|item| render::text(&call.base, *each, &item.raw, &derived.owned(item), &projection)));
    }
    match refused {
        Some(error) if !asked => Err(error.into()),
        _ => Ok(Answer::json(200, render::list(total, params.start_index, &texts))),
    }
}

/// Which part of the matching resources is shown.
struct Page {
    offset: i64,
    count: i64,
}

/// The total and one page.
async fn find(call: &Call<'_>, which: Resources, query: Option<&Query>, page: &Page) -> Result<(i64, Vec<Item>), Refused> {
    let Some(query) = query else { return unfiltered(call, which, page).await };
    let compiled = query_sql::compile(query, target(which), lists::FIRST_ARGUMENT);
    if compiled.exact { indexed(call, which, page, &compiled).await } else { walked(call, which, page, query, &compiled).await }
}

async fn unfiltered(call: &Call<'_>, which: Resources, page: &Page) -> Result<(i64, Vec<Item>), Refused> {
    let (store, connection) = (&call.scim.store, call.connection);
    let kind = match which {
        Resources::Users => "user",
        Resources::Groups => "group",
    };
    let total = groups::total(store, connection, kind).await?;
    if page.count == 0 {
        return Ok((total, Vec::new()));
    }
    let items = lists::page(store, connection, target(which), None, page.offset, page.count).await?;
    Ok((total, items))
}

/// The condition says it all: a page by it, and a count only where the page does not tell.
async fn indexed(call: &Call<'_>, which: Resources, page: &Page, compiled: &Compiled) -> Result<(i64, Vec<Item>), Refused> {
    let (store, connection, offset) = (&call.scim.store, call.connection, page.offset);
    let items = if page.count == 0 {
        Vec::new()
    } else {
        lists::page(store, connection, target(which), Some(compiled), offset, page.count).await?
    };
    let seen = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let is_last = page.count > 0 && seen < page.count && (seen > 0 || offset == 0);
    let total = if is_last { offset + seen } else { lists::count(store, connection, target(which), compiled).await? };
    Ok((total, items))
}

/// The condition narrows; the query decides over each document it leaves.
async fn walked(
    call: &Call<'_>,
    which: Resources,
    page: &Page,
    query: &Query,
    compiled: &Compiled,
) -> Result<(i64, Vec<Item>), Refused> {
    let (mut total, mut looked_at, mut members_read) = (0_i64, 0_i64, 0_usize);
    let mut shown = Vec::new();
    let mut last = String::new();
    let whole = Projection::parse(None, None, resource_type(which), call.mode())?;
    loop {
        let items = lists::after(&call.scim.store, call.connection, target(which), Some(compiled), &last, WALK).await?;
        let Some(end) = items.last() else { break };
        last.clone_from(&end.id);
        let ended = i64::try_from(items.len()).is_ok_and(|read| read < WALK);
        looked_at += i64::try_from(items.len()).unwrap_or(i64::MAX);
        if looked_at > call.scim.scan_max {
            return Err(too_many(call.scim.scan_max));
        }
        let derived = Derived::read(call, which, &items, &whole).await?;
        members_read += derived.members.values().map(Vec::len).sum::<usize>();
        if members_read > MEMBERS_MAX {
            return Err(too_many(call.scim.scan_max));
        }
        for item in items {
            let document = render::document(&call.base, which, &item.raw, &derived.owned(&item));
            if query.matches(&document) {
                total += 1;
                if total > page.offset && i64::try_from(shown.len()).is_ok_and(|shown| shown < page.count) {
                    shown.push(item);
                }
            }
        }
        if ended {
            break;
        }
    }
    Ok((total, shown))
}

fn too_many(scan_max: i64) -> Refused {
    ScimError::of(
        ScimType::TooMany,
        format!("the filter has no indexed attribute and more than {scan_max} resources to look at; add userName, externalId, emails or id to it"),
    )
    .into()
}

/// The derived lists of a page, each read in one go.
#[derive(Default)]
struct Derived {
    groups: HashMap<String, Vec<Membership>>,
    members: HashMap<String, Vec<Listed>>,
}

impl Derived {
    async fn read(call: &Call<'_>, which: Resources, items: &[Item], projection: &Projection) -> Result<Self, Refused> {
        let (store, tenant) = (&call.scim.store, &call.connection.tenant_id);
        let mut derived = Self::default();
        match which {
            Resources::Users if projection.wants("groups") => {
                let ids: Vec<String> = items.iter().filter(|item| item.in_groups).map(|item| item.id.clone()).collect();
                if !ids.is_empty() {
                    derived.groups = groups::find_memberships(store, tenant, &ids).await?;
                }
            }
            Resources::Groups if projection.wants("members") => {
                for item in items {
                    derived.members.insert(item.id.clone(), groups::find_members(store, tenant, &item.id).await?);
                }
            }
            _ => {}
        }
        Ok(derived)
    }

    fn owned<'a>(&'a self, item: &'a Item) -> Owned<'a> {
        let also = if let Some(members) = self.members.get(&item.id) {
            Also::Members(members)
        } else if let Some(groups) = self.groups.get(&item.id) {
            Also::Groups(groups)
        } else {
            Also::None
        };
        Owned { id: &item.id, version: item.version, created_at: item.created_at, updated_at: item.updated_at, also }
    }
}
