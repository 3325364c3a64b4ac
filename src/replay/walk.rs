//! Over all people of some connections, or over some people of one, a page after another in the order of keys. A place says where
//! a walk is, and is all that has to be kept to go on.

use crate::model::connection::Connection;
use crate::store::{self, Store, identities};
use serde::{Deserialize, Serialize};

/// People of a page, at first.
const PAGE: usize = 250;
const PAGE_MIN: usize = 10;
/// What the documents of a page may come to before the next is smaller.
const BYTES_WANTED: usize = 4 << 20;

/// Whom a walk is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whom {
    All,
    /// Ids of identities.
    These(Vec<String>),
}

/// Where a walk is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which of the connections.
    pub connection: usize,
    /// Those who are listed come first.
    pub unlisted: bool,
    /// The last id that is done.
    pub after: String,
    /// Which side of the people after it is next.
    pub side: usize,
}

/// How many people a page holds: fewer where much is stored of each.
#[derive(Debug)]
pub struct Stride(usize);

impl Default for Stride {
    fn default() -> Self {
        Self(PAGE)
    }
}

impl Stride {
    /// A page of so many documents' bytes was read.
    pub fn read(&mut self, bytes: usize) {
        if bytes > BYTES_WANTED {
            self.0 = (self.0 / 2).max(PAGE_MIN);
        } else if bytes < BYTES_WANTED / 4 {
            self.0 = (self.0 * 2).min(PAGE);
        }
    }
}

impl Place {
    /// The next people of `connections`, and the place after them; `None` at the end. The place moves on over what is empty.
    ///
    /// # Errors
    /// The store's.
    pub async fn page(
        &mut self,
        store: &Store,
        connections: &[&Connection],
        whom: &Whom,
        stride: &Stride,
    ) -> Result<Option<(Vec<String>, Self)>, store::Error> {
        loop {
            let Some(connection) = connections.get(self.connection) else { return Ok(None) };
            let ids = match whom {
                Whom::All => {
                    let limit = i64::try_from(stride.0).unwrap_or(i64::MAX);
                    identities::page(store, connection, !self.unlisted, &self.after, limit).await?
                }
                Whom::These(ids) => {
                    let mut ids: Vec<String> = ids.iter().filter(|id| **id > self.after).cloned().collect();
                    ids.sort_unstable();
                    ids.truncate(stride.0);
                    ids
                }
            };
            if let Some(last) = ids.last() {
                let next = Self { after: last.clone(), side: 0, ..self.clone() };
                return Ok(Some((ids, next)));
            }
            *self = match (whom, self.unlisted) {
                (Whom::All, false) => Self { unlisted: true, after: String::new(), side: 0, ..self.clone() },
                _ => Self { connection: self.connection + 1, ..Self::default() },
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shrinks_where_much_is_stored_of_each_and_grows_again() {
        let mut stride = Stride::default();
        stride.read(BYTES_WANTED + 1);
        assert_eq!(stride.0, PAGE / 2);
        (0..20).for_each(|_| stride.read(usize::MAX));
        assert_eq!(stride.0, PAGE_MIN);
        (0..20).for_each(|_| stride.read(0));
        assert_eq!(stride.0, PAGE);
    }
}
