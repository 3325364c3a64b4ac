//! What a list is asked of one kind of resources, read once against its schema: the filter, what of it SQL decides, the
//! order and which index has it, the projection.

use super::Call;
use super::answer::Refused;
use super::route::Resources;
use super::walk::Budget;
use crate::model::query::Query;
use crate::model::query::order::{Key, Order};
use crate::scim::error::ScimError;
use crate::scim::filter::{self, ast::Filter};
use crate::scim::list::ListParams;
use crate::scim::mode::Mode;
use crate::scim::order;
use crate::scim::projection::Projection;
use crate::scim::schema::{Registry, ResourceType};
use crate::store::lists::{self, FIRST_ARGUMENT, Item, Looked, Sequence};
use crate::store::query_sql::{self, Compiled, Target};
use crate::store::{self, groups};

/// One kind of resources in a list.
pub(super) struct Source {
    pub which: Resources,
    pub projection: Projection,
    pub order: Order,
    /// The index that has the order. `None`: documents decide.
    pub sequence: Option<Sequence>,
    pub query: Option<Query>,
    compiled: Option<Compiled>,
}

/// All that a list is asked of, in the order of their kinds. One order goes over all of them if `sortBy` says it;
/// otherwise all of the first kind stand before all of the next.
pub(super) struct Sources {
    pub list: Vec<Source>,
    pub sorted: bool,
    pub descending: bool,
}

impl Sources {
    /// Reads the texts against the schemas of `which`. Across kinds an attribute that one lacks is no error (RFC 7644
    /// §3.4.2.1): a filter on it does not match, and in an order it has no value.
    ///
    /// Errors: those of the parsers; of a filter or an order only if no kind can take it.
    pub(super) fn read(
        registry: &Registry,
        which: &[Resources],
        params: &ListParams,
        mode: Mode,
        entries_max: i64,
    ) -> Result<Self, ScimError> {
        let filter = params.filter.as_deref().map(|text| filter::parse(text, mode)).transpose()?;
        let sort_by = params.sort_by.as_deref();
        let descending = if sort_by.is_some() { order::is_descending(params.sort_order.as_deref())? } else { false };
        let orders = orders(registry, which, sort_by, descending, mode)?;
        let mut list = Vec::new();
        let mut refused = None;
        for (which, order) in which.iter().zip(orders) {
            let resource_type = resource_type(registry, *which);
            let (attributes, excluded) = (params.attributes.as_deref(), params.excluded_attributes.as_deref());
            let projection = Projection::parse(attributes, excluded, resource_type, mode)?;
            match compiled(filter.as_ref(), resource_type, mode) {
                Ok(query) => list.push(Source::new(*which, projection, order, query, entries_max)),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if list.is_empty() => Err(error),
            _ => Ok(Self { list, sorted: sort_by.is_some(), descending }),
        }
    }
}

fn compiled(filter: Option<&Filter>, resource_type: &ResourceType, mode: Mode) -> Result<Option<Query>, ScimError> {
    filter.map(|filter| filter::compile(filter, resource_type, mode)).transpose()
}

/// One order per kind.
fn orders(
    registry: &Registry,
    which: &[Resources],
    sort_by: Option<&str>,
    descending: bool,
    mode: Mode,
) -> Result<Vec<Order>, ScimError> {
    let none = Order { field: None, descending };
    let Some(sort_by) = sort_by else { return Ok(vec![none; which.len()]) };
    let read: Vec<Result<Order, ScimError>> =
        which.iter().map(|which| order::parse(sort_by, descending, resource_type(registry, *which), mode)).collect();
    if read.iter().any(Result::is_ok) {
        return Ok(read.into_iter().map(|order| order.unwrap_or_else(|_| none.clone())).collect());
    }
    read.into_iter().collect()
}

fn resource_type(registry: &Registry, which: Resources) -> &ResourceType {
    match which {
        Resources::Users => &registry.user,
        Resources::Groups => &registry.group,
    }
}

impl Source {
    fn new(which: Resources, projection: Projection, order: Order, query: Option<Query>, entries_max: i64) -> Self {
        let target = target(which);
        let compiled = query.as_ref().map(|query| query_sql::compile(query, target, FIRST_ARGUMENT, entries_max));
        // What everybody satisfies is no condition: its total is a counter's.
        let compiled = compiled.filter(|compiled| !compiled.exact || compiled.condition.is_some());
        Self { which, projection, sequence: Sequence::of(&order, target), order, query, compiled }
    }

    /// Whether SQL alone decides who matches.
    pub(super) fn is_exact(&self) -> bool {
        self.compiled.as_ref().is_none_or(|compiled| compiled.exact)
    }

    /// Whether SQL can only be asked row by row: then the caller says over how many ([`Self::look`]).
    pub(super) fn walks(&self) -> bool {
        self.compiled.as_ref().is_some_and(|compiled| compiled.walks)
    }

    /// Whether an index or a counter answers, at the price of what it finds.
    pub(super) fn is_served(&self) -> bool {
        self.is_exact() && !self.walks()
    }

    /// Whether a list that ended after `seen` rows has all that match, or could have been cut off where its index had
    /// too many.
    pub(super) fn has_all(&self, seen: i64) -> bool {
        let range = self.compiled.as_ref().and_then(|compiled| compiled.range.as_ref());
        range.is_none_or(|range| range.is_page && seen <= range.most)
    }

    /// 400 `tooMany` if the filter would have to collect more from an index than it may.
    pub(super) async fn bounded(&self, call: &Call<'_>, budget: &Budget) -> Result<(), Refused> {
        let Some(compiled) = &self.compiled else { return Ok(()) };
        let exceeds = lists::exceeds(&call.scim.store, call.connection, target(self.which), compiled).await?;
        if exceeds { Err(budget.too_many_entries()) } else { Ok(()) }
    }

    /// The next `limit` rows in `sequence`, each with whether the condition holds for it.
    pub(super) async fn look(
        &self,
        call: &Call<'_>,
        sequence: Sequence,
        position: Option<&lists::Position>,
        limit: i64,
    ) -> Result<Vec<Looked>, store::Error> {
        let Some(compiled) = &self.compiled else { return Ok(Vec::new()) };
        lists::look(&call.scim.store, call.connection, target(self.which), compiled, sequence, position, limit).await
    }

    /// The rows at these positions that are still there, in this order and with their keys.
    pub(super) async fn at(&self, call: &Call<'_>, positions: Vec<lists::Position>) -> Result<Vec<Item>, store::Error> {
        let ids: Vec<String> = positions.iter().map(|position| position.id.clone()).collect();
        let mut found = lists::by_ids(&call.scim.store, call.connection, target(self.which), &ids).await?;
        let items = positions.into_iter().filter_map(|position| Some(Item { key: position.key, ..found.remove(&position.id)? }));
        Ok(items.collect())
    }

    /// Whether the filter or the order asks for what the server derives.
    pub(super) fn asks_of(&self, member: &str) -> bool {
        let ordered = self.order.field.as_ref().and_then(|field| field.path.first()).is_some_and(|name| name == member);
        ordered || self.query.as_ref().is_some_and(|query| query.mentions(member))
    }

    /// The key of a row that was read by the source's own sequence.
    pub(super) fn key_in_sequence(item: &Item) -> Key {
        item.key.clone().map_or(Key::Absent, Key::Text)
    }

    /// How many match, where SQL decides it.
    pub(super) async fn count(&self, call: &Call<'_>) -> Result<i64, Refused> {
        let (store, connection) = (&call.scim.store, call.connection);
        let kind = match self.which {
            Resources::Users => "user",
            Resources::Groups => "group",
        };
        Ok(match &self.compiled {
            None => groups::total(store, connection, kind).await?,
            Some(compiled) => lists::count(store, connection, target(self.which), compiled).await?,
        })
    }

    /// A page by offset in `sequence` of the rows that SQL leaves.
    pub(super) async fn page(
        &self,
        call: &Call<'_>,
        sequence: Sequence,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<Item>, store::Error> {
        let (store, connection) = (&call.scim.store, call.connection);
        lists::page(store, connection, target(self.which), self.compiled.as_ref(), sequence, offset, limit).await
    }

    /// The next rows in `sequence` that SQL leaves.
    pub(super) async fn after(
        &self,
        call: &Call<'_>,
        sequence: Sequence,
        position: Option<&lists::Position>,
        limit: i64,
    ) -> Result<Vec<Item>, store::Error> {
        let (store, connection) = (&call.scim.store, call.connection);
        lists::after(store, connection, target(self.which), self.compiled.as_ref(), sequence, position, limit).await
    }

    /// The rows of these ids that are still there, in this order.
    pub(super) async fn by_ids(&self, call: &Call<'_>, ids: &[String]) -> Result<Vec<Item>, store::Error> {
        let mut found = lists::by_ids(&call.scim.store, call.connection, target(self.which), ids).await?;
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }
}

fn target(which: Resources) -> Target {
    match which {
        Resources::Users => Target::Users,
        Resources::Groups => Target::Groups,
    }
}
