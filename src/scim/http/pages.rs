//! Which resources a page of a list holds, by index (RFC 7644 §3.4.2.4) or after a cursor (RFC 9865). What an index serves
//! costs the same wherever the page is; the rest is walked under a budget. Past it a page by index is 400 `tooMany`,
//! never a part; with a cursor the page ends where the budget did, and the next goes on from there.

use super::Call;
use super::answer::Refused;
use super::cursor::{Begin, Position};
use super::source::{Source, Sources};
use super::walk::{self, Budget, Ranked, Ranking, Reached, Wanted};
use crate::model::query::order::{Key, Order};
use crate::store::lists::{self, Item, Sequence};
use std::cmp::Ordering;

/// One page.
pub(super) struct Page {
    /// How many match; `None`: not known without looking at more than a page may.
    pub total: Option<i64>,
    /// In order, each with the source it is of.
    pub items: Vec<(usize, Item)>,
    /// Where the next page begins, if there is one and a cursor was asked for.
    pub next: Option<Begin>,
}

/// The page of `count` resources after the first `offset`.
pub(super) async fn by_index(call: &Call<'_>, sources: &Sources, offset: i64, count: i64) -> Result<Page, Refused> {
    let mut budget = Budget::new(call.scim.scan_max);
    let one_order = sources.sorted && sources.list.len() > 1;
    if one_order || sources.list.iter().any(|source| source.sequence.is_none()) {
        return ranked(call, sources, offset, count, &mut budget).await;
    }
    let (mut total, mut items) = (0, Vec::new());
    for (at, source) in sources.list.iter().enumerate() {
        let Some(sequence) = source.sequence else { continue };
        let part = Part { offset: (offset - total).max(0), count: count - i64::try_from(items.len()).unwrap_or(i64::MAX) };
        let (found, of_source) = if source.is_served() {
            indexed(call, source, sequence, part, &budget).await?
        } else {
            walked(call, source, sequence, part, &mut budget).await?
        };
        total += found;
        items.extend(of_source.into_iter().map(|item| (at, item)));
    }
    Ok(Page { total: Some(total), items, next: None })
}

/// Which of the matching resources of one source are shown.
#[derive(Clone, Copy)]
struct Part {
    offset: i64,
    count: i64,
}

/// SQL says it all: a page by it, and a count only where the page does not tell.
async fn indexed(
    call: &Call<'_>,
    source: &Source,
    sequence: Sequence,
    part: Part,
    budget: &Budget,
) -> Result<(i64, Vec<Item>), Refused> {
    let is_checked = !source.has_all(0);
    if is_checked {
        source.bounded(call, budget).await?;
    }
    let items = if part.count == 0 { Vec::new() } else { source.page(call, sequence, part.offset, part.count).await? };
    let seen = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let is_last = source.query.is_some() && part.count > 0 && seen < part.count && (seen > 0 || part.offset == 0);
    if is_last && (is_checked || source.has_all(part.offset + seen)) {
        return Ok((part.offset + seen, items));
    }
    if !is_checked {
        source.bounded(call, budget).await?;
    }
    Ok((source.count(call).await?, items))
}

/// SQL narrows, the query decides over each document that is left.
async fn walked(
    call: &Call<'_>,
    source: &Source,
    sequence: Sequence,
    part: Part,
    budget: &mut Budget,
) -> Result<(i64, Vec<Item>), Refused> {
    let wanted = Wanted { skip: part.offset, most: usize::try_from(part.count).unwrap_or(0), count_on: true };
    let found = walk::in_sequence(call, source, sequence, None, &wanted, budget).await?;
    match found.reached {
        Reached::Spent(_) => Err(budget.too_many()),
        Reached::End | Reached::Enough => Ok((found.matched, found.items)),
    }
}

/// No one index has the order: all keys are looked at, then the rows of the page are read.
async fn ranked(call: &Call<'_>, sources: &Sources, offset: i64, count: i64, budget: &mut Budget) -> Result<Page, Refused> {
    let most = if count == 0 { 0 } else { offset.saturating_add(count).min(call.scim.scan_max) };
    let mut ranking = Ranking::new(sources.descending, usize::try_from(most).unwrap_or(usize::MAX));
    for source in sources.list.iter().enumerate() {
        walk::rank(call, source, None, &mut ranking, budget).await?;
    }
    let total = Some(ranking.total);
    let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
    let entries = ranking.finish().into_iter().skip(skipped).map(Entry::from).collect();
    Ok(Page { total, items: items(call, sources, entries).await?, next: None })
}

/// A resource on its way to a page; `item` is read yet, or will be.
struct Entry {
    key: Key,
    id: String,
    source: usize,
    item: Option<Item>,
}

impl From<Ranked> for Entry {
    fn from(ranked: Ranked) -> Self {
        Self { key: ranked.key, id: ranked.id, source: ranked.source, item: None }
    }
}

impl Entry {
    fn position(&self) -> Position {
        Position { key: self.key.clone(), id: self.id.clone() }
    }
}

/// The rows of `entries`, in their order. Who was deleted meanwhile is missing.
async fn items(call: &Call<'_>, sources: &Sources, mut entries: Vec<Entry>) -> Result<Vec<(usize, Item)>, Refused> {
    for (at, source) in sources.list.iter().enumerate() {
        let unread = |entry: &Entry| entry.source == at && entry.item.is_none();
        let ids: Vec<String> = entries.iter().filter(|entry| unread(entry)).map(|entry| entry.id.clone()).collect();
        if ids.is_empty() {
            continue;
        }
        let mut found = source.by_ids(call, &ids).await?.into_iter().peekable();
        for entry in entries.iter_mut().filter(|entry| unread(entry)) {
            entry.item = found.next_if(|item| item.id == entry.id);
        }
    }
    Ok(entries.into_iter().filter_map(|entry| Some((entry.source, entry.item?))).collect())
}

/// The page of `count` resources after a cursor. The first page counts what matches as far as the budget goes; later
/// ones only what SQL can count.
pub(super) async fn by_cursor(call: &Call<'_>, sources: &Sources, begin: Begin, count: i64) -> Result<Page, Refused> {
    let is_first = begin == Begin::FIRST;
    let scan_max = call.scim.scan_max;
    let mut page = Gathered { total: Some(0), entries: Vec::new(), next: None };
    let all: Vec<usize> = (0..sources.list.len()).collect();
    // One order over all is one part of the list, otherwise each kind is.
    let stages: Vec<&[usize]> = if sources.sorted { vec![all.as_slice()] } else { all.chunks(1).collect() };
    let mut budgets = Budget::split(scan_max, stages.iter().map(|stage| stage.len()).max().unwrap_or(1));
    let most = usize::try_from(count).unwrap_or(0);
    for (at, stage) in stages.into_iter().enumerate() {
        let is_asked = at >= begin.stage && (page.next.is_none() || is_first);
        if !is_asked {
            for source in stage {
                page.count(uncounted(call, &sources.list[*source], None).await?);
            }
            continue;
        }
        let position = if at == begin.stage { begin.position.clone() } else { None };
        let wanted = Wanted { skip: 0, most: most.saturating_sub(page.entries.len()), count_on: is_first };
        let (entries, after) = stage_of(call, sources, stage, position, &wanted, &mut budgets, &mut page).await?;
        if page.next.is_none() {
            page.entries.extend(entries);
            page.next = after.map(|position| Begin { stage: at, position });
        }
    }
    Ok(Page { total: page.total, items: items(call, sources, page.entries).await?, next: page.next })
}

/// A page as far as it is known.
struct Gathered {
    total: Option<i64>,
    entries: Vec<Entry>,
    next: Option<Begin>,
}

impl Gathered {
    fn count(&mut self, matched: Option<i64>) {
        self.total = self.total.zip(matched).map(|(total, matched)| total + matched);
    }
}

/// The count of a source of which `matched` is known from a walk, if anything is.
async fn uncounted(call: &Call<'_>, source: &Source, matched: Option<i64>) -> Result<Option<i64>, Refused> {
    if matched.is_none() && source.is_served() { Ok(Some(source.count(call).await?)) } else { Ok(matched) }
}

/// What one part of the list has after a position: at most as many as wanted, and if that is not all, the position
/// (`None`: its beginning) after which it goes on.
async fn stage_of(
    call: &Call<'_>,
    sources: &Sources,
    stage: &[usize],
    position: Option<Position>,
    wanted: &Wanted,
    budgets: &mut [Budget],
    page: &mut Gathered,
) -> Result<(Vec<Entry>, Option<Option<Position>>), Refused> {
    // One more tells whether there is another page.
    let one_more = Wanted { most: wanted.most + 1, ..*wanted };
    let mut entries = Vec::new();
    let mut spent: Option<Position> = None;
    for (source, budget) in stage.iter().zip(budgets) {
        let ahead = ahead(call, sources, *source, position.as_ref(), &one_more, budget).await?;
        entries.extend(ahead.entries);
        page.count(uncounted(call, &sources.list[*source], ahead.matched).await?);
        // What another source has beyond the row where a budget ended may stand after rows that nobody looked at.
        spent = match (spent, ahead.spent) {
            (Some(one), Some(other)) if compare(sources.descending, &other, &one).is_lt() => Some(other),
            (one, other) => one.or(other),
        };
    }
    entries.sort_by(|a, b| Order::compare(sources.descending, (&a.key, &a.id), (&b.key, &b.id)));
    if let Some(end) = &spent {
        entries.retain(|entry| Order::compare(sources.descending, (&entry.key, &entry.id), (&end.key, &end.id)).is_le());
    }
    if entries.len() > wanted.most {
        entries.truncate(wanted.most);
        let after = entries.last().map(Entry::position).or(position);
        return Ok((entries, Some(after)));
    }
    Ok((entries, spent.map(Some)))
}

fn compare(descending: bool, one: &Position, other: &Position) -> Ordering {
    Order::compare(descending, (&one.key, &one.id), (&other.key, &other.id))
}

/// What one source has after a position.
struct Ahead {
    entries: Vec<Entry>,
    /// How many match in all, if the walk tells.
    matched: Option<i64>,
    /// Where the budget ended.
    spent: Option<Position>,
}

async fn ahead(
    call: &Call<'_>,
    sources: &Sources,
    at: usize,
    position: Option<&Position>,
    wanted: &Wanted,
    budget: &mut Budget,
) -> Result<Ahead, Refused> {
    let source = &sources.list[at];
    let Some(sequence) = source.sequence else {
        let mut ranking = Ranking::new(sources.descending, wanted.most);
        let after = position.map(|position| (&position.key, position.id.as_str()));
        walk::rank(call, (at, source), after, &mut ranking, budget).await?;
        let matched = Some(ranking.total);
        return Ok(Ahead { entries: ranking.finish().into_iter().map(Entry::from).collect(), matched, spent: None });
    };
    let entry = |item: Item| Entry { key: Source::key_in_sequence(&item), id: item.id.clone(), source: at, item: Some(item) };
    let begin = match position.map(|position| in_column(sequence, position)) {
        None => None,
        Some(Place::Before) => None,
        Some(Place::At(position)) => Some(position),
        Some(Place::Behind) => {
            return Ok(Ahead { entries: Vec::new(), matched: None, spent: None });
        }
    };
    if source.is_served() {
        source.bounded(call, budget).await?;
        let most = i64::try_from(wanted.most).unwrap_or(i64::MAX);
        let items = source.after(call, sequence, begin.as_ref(), most).await?;
        return Ok(Ahead { entries: items.into_iter().map(entry).collect(), matched: None, spent: None });
    }
    let found = walk::in_sequence(call, source, sequence, begin, wanted, budget).await?;
    let all = matches!(found.reached, Reached::End) && position.is_none();
    let spent = match found.reached {
        Reached::Spent(end) => Some(Position { key: end.key.map_or(Key::Absent, Key::Text), id: end.id }),
        Reached::End | Reached::Enough => None,
    };
    Ok(Ahead { entries: found.items.into_iter().map(entry).collect(), matched: all.then_some(found.matched), spent })
}

/// Where a position of the whole order is in the sequence of one source.
enum Place {
    /// Before all of it.
    Before,
    At(lists::Position),
    /// Behind all of it.
    Behind,
}

fn in_column(sequence: Sequence, position: &Position) -> Place {
    match &position.key {
        Key::Text(key) if sequence.has_keys() => Place::At(lists::Position { key: Some(key.clone()), id: position.id.clone() }),
        Key::Absent => Place::At(lists::Position { key: None, id: position.id.clone() }),
        // Another kind has values, this one has none: they come first, descending last.
        _ if sequence.is_descending() => Place::Behind,
        _ => Place::Before,
    }
}
