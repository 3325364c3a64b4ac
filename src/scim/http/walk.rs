//! Looking at documents where no index decides, under a budget: in the order of an index, until enough was found; or at
//! all of them, holding no more than keys and ids, to put them in an order that no index has.

use super::Call;
use super::answer::Refused;
use super::derived::{self, Derived};
use super::render;
use super::source::Source;
use crate::model::query::Index;
use crate::model::query::order::{Key, Order};
use crate::scim::error::{ScimError, ScimType};
use crate::store::lists::{self, Item, Sequence};
use serde_json::Map;

/// Rows read at a time.
const WALK: i64 = 500;
/// Rows that SQL looks at at a time: no document of theirs is read yet.
const LOOK: i64 = 2_000;
/// Index entries that a filter may collect for each row it may look at: they are that much cheaper.
const ENTRIES_PER_ROW: i64 = 10;
/// Member rows one walk may read, all groups together.
const MEMBERS_MAX: usize = 100_000;

/// How much one request may still look at.
pub(super) struct Budget {
    /// Below zero: it looked at more.
    rows: i64,
    members: usize,
    of: i64,
}

impl Budget {
    pub(super) fn new(scan_max: i64) -> Self {
        Self { rows: scan_max, members: MEMBERS_MAX, of: scan_max }
    }

    /// As many budgets that are one together.
    pub(super) fn split(scan_max: i64, parts: usize) -> Vec<Self> {
        let parts = parts.max(1);
        let share = scan_max / i64::try_from(parts).unwrap_or(i64::MAX);
        (0..parts).map(|_| Self { rows: share, members: MEMBERS_MAX / parts, of: scan_max }).collect()
    }

    /// How many entries of an index a filter may collect.
    pub(super) fn entries_max(scan_max: i64) -> i64 {
        scan_max.saturating_mul(ENTRIES_PER_ROW)
    }

    fn is_spent(&self) -> bool {
        self.rows < 0
    }

    /// 400 `tooMany`.
    pub(super) fn too_many(&self) -> Refused {
        let (most, way_out) = (self.of, "add userName, externalId, emails or id to the filter, or sort by one of them");
        ScimError::of(
            ScimType::TooMany,
            format!("no index serves this filter or order, and more than {most} resources are to be looked at; {way_out}"),
        )
        .into()
    }

    /// 400 `tooMany`, where it is an index that has too many.
    pub(super) fn too_many_entries(&self) -> Refused {
        let most = Self::entries_max(self.of);
        ScimError::of(
            ScimType::TooMany,
            format!(
                "more than {most} values are what this filter asks for; ask for more of them, or add userName, externalId or id"
            ),
        )
        .into()
    }
}

/// What a walk in the order of an index looks for.
pub(super) struct Wanted {
    /// Matches that come before the page.
    pub skip: i64,
    pub most: usize,
    /// Go on when enough were found, to know how many match.
    pub count_on: bool,
}

/// What a walk found.
pub(super) struct Found {
    pub items: Vec<Item>,
    /// Matches among the rows it looked at.
    pub matched: i64,
    pub reached: Reached,
}

/// Where a walk ended.
pub(super) enum Reached {
    End,
    /// Enough was found.
    Enough,
    /// The budget was spent after this row.
    Spent(lists::Position),
}

/// Walks in `sequence` from a position on.
pub(super) async fn in_sequence(
    call: &Call<'_>,
    source: &Source,
    sequence: Sequence,
    position: Option<lists::Position>,
    wanted: &Wanted,
    budget: &mut Budget,
) -> Result<Found, Refused> {
    let mut found = Found { items: Vec::new(), matched: 0, reached: Reached::End };
    let mut last = position;
    if !source.walks() {
        source.bounded(call, budget).await?;
    }
    loop {
        let Some(window) = window(call, source, sequence, last.as_ref(), budget).await? else { return Ok(found) };
        match window.narrowed {
            Narrowed::Decided(positions) => {
                let mut shown = Vec::new();
                for position in positions {
                    found.matched += 1;
                    if found.matched > wanted.skip && found.items.len() + shown.len() < wanted.most {
                        shown.push(position);
                    }
                }
                found.items.extend(source.at(call, shown).await?);
            }
            Narrowed::Read(rows) => {
                for (item, _) in judged(call, source, rows, false, budget).await? {
                    found.matched += 1;
                    if found.matched > wanted.skip && found.items.len() < wanted.most {
                        found.items.push(item);
                    }
                }
            }
        }
        let Some(end) = window.end else { return Ok(found) };
        if !wanted.count_on && found.items.len() >= wanted.most {
            found.reached = Reached::Enough;
            return Ok(found);
        }
        if budget.is_spent() {
            found.reached = Reached::Spent(end);
            return Ok(found);
        }
        last = Some(end);
    }
}

/// Some rows on the way.
struct Window {
    narrowed: Narrowed,
    /// The last of them. `None`: none is after them.
    end: Option<lists::Position>,
}

/// What SQL leaves of the rows of a window.
enum Narrowed {
    /// Those that match.
    Decided(Vec<lists::Position>),
    /// Those that may.
    Read(Vec<Item>),
}

/// The next rows after a position; they are taken off the budget. `None`: there are none.
async fn window(
    call: &Call<'_>,
    source: &Source,
    sequence: Sequence,
    last: Option<&lists::Position>,
    budget: &mut Budget,
) -> Result<Option<Window>, Refused> {
    let most = if source.walks() && source.is_exact() { LOOK } else { WALK };
    let limit = most.min(budget.rows.max(0) + 1);
    let (read, end, narrowed) = if source.walks() {
        let looked = source.look(call, sequence, last, limit).await?;
        let (read, end) = (looked.len(), looked.last().map(|row| row.position.clone()));
        let left: Vec<_> = looked.into_iter().filter(|row| row.matches).map(|row| row.position).collect();
        let narrowed = if source.is_exact() { Narrowed::Decided(left) } else { Narrowed::Read(source.at(call, left).await?) };
        (read, end, narrowed)
    } else {
        let rows = source.after(call, sequence, last, limit).await?;
        let end = rows.last().map(|end| lists::Position { key: end.key.clone(), id: end.id.clone() });
        (rows.len(), end, Narrowed::Read(rows))
    };
    let read = i64::try_from(read).unwrap_or(i64::MAX);
    budget.rows -= read;
    Ok((read > 0).then_some(Window { narrowed, end: end.filter(|_| read == limit) }))
}

/// One resource in an order that documents decide.
#[derive(Debug)]
pub(super) struct Ranked {
    pub key: Key,
    pub id: String,
    /// Which source it is of.
    pub source: usize,
}

/// The first so many in an order.
pub(super) struct Ranking {
    descending: bool,
    most: usize,
    ranked: Vec<Ranked>,
    /// How many were ranked in all.
    pub total: i64,
}

impl Ranking {
    pub(super) fn new(descending: bool, most: usize) -> Self {
        Self { descending, most, ranked: Vec::new(), total: 0 }
    }

    fn add(&mut self, one: Ranked) {
        self.ranked.push(one);
        // Sorting only now and then: each costs as much as so many additions are worth.
        if self.ranked.len() >= self.most.saturating_mul(2).saturating_add(WALK.unsigned_abs().try_into().unwrap_or(0)) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let descending = self.descending;
        self.ranked.sort_unstable_by(|a, b| Order::compare(descending, (&a.key, &a.id), (&b.key, &b.id)));
        self.ranked.truncate(self.most);
    }

    /// The first of them, in order.
    pub(super) fn finish(mut self) -> Vec<Ranked> {
        self.cut();
        self.ranked
    }
}

/// Looks at all of a source; `after` leaves out what stands up to there, though it is counted.
pub(super) async fn rank(
    call: &Call<'_>,
    source: (usize, &Source),
    after: Option<(&Key, &str)>,
    ranking: &mut Ranking,
    budget: &mut Budget,
) -> Result<(), Refused> {
    let (at, source) = source;
    let mut last: Option<lists::Position> = None;
    if !source.walks() {
        source.bounded(call, budget).await?;
    }
    loop {
        let Some(window) = window(call, source, Sequence::BY_CREATION, last.as_ref(), budget).await? else { return Ok(()) };
        if budget.is_spent() {
            return Err(budget.too_many());
        }
        let rows = match window.narrowed {
            Narrowed::Read(rows) => rows,
            Narrowed::Decided(positions) => source.at(call, positions).await?,
        };
        for (item, key) in judged(call, source, rows, true, budget).await? {
            ranking.total += 1;
            let stands_before =
                after.is_some_and(|after| Order::compare(source.order.descending, (&key, &item.id), after).is_le());
            if !stands_before {
                ranking.add(Ranked { key, id: item.id, source: at });
            }
        }
        if window.end.is_none() {
            return Ok(());
        }
        last = window.end;
    }
}

/// Those of `rows` that match, each with its key if it is asked for.
async fn judged(
    call: &Call<'_>,
    source: &Source,
    rows: Vec<Item>,
    with_key: bool,
    budget: &mut Budget,
) -> Result<Vec<(Item, Key)>, Refused> {
    let derived = if source.asks_of(derived::attribute(source.which)) {
        let derived = Derived::read_within(call, source.which, &rows.iter().collect::<Vec<_>>(), budget.members).await?;
        budget.members = budget.members.checked_sub(derived.members_read()).ok_or_else(|| budget.too_many())?;
        derived
    } else {
        Derived::default()
    };
    let by_column = with_key && matches!(&source.order.field, Some(field) if field.index == Index::UpdatedAt);
    let keyed = with_key && !by_column;
    let needs_document = keyed || !source.is_exact();
    let mut matching = Vec::with_capacity(rows.len());
    for item in rows {
        let document = if needs_document {
            render::document(&call.base, source.which, &item.raw, &derived.owned(&item))
        } else {
            Map::new()
        };
        if !source.is_exact() && !source.query.as_ref().is_none_or(|query| query.matches(&document)) {
            continue;
        }
        let key = if by_column {
            Key::Instant(item.updated_at)
        } else if keyed {
            source.order.key(&document)
        } else {
            Key::Absent
        };
        matching.push((item, key));
    }
    Ok(matching)
}
