//! A read that ends in few rows at once, and several of them that wait together as one statement.
//!
//! Owns: which may go together (the same text, whatever its arguments: each names its tenant), and whose row is whose.
//! Refuses: the text for several ([`super::dialect`]) and running it.

use super::lanes::Work;
use super::{Error, Row, Value};
use std::borrow::Cow;

/// A read in line.
pub(super) struct LookUp {
    pub sql: Cow<'static, str>,
    pub args: Vec<Value>,
}

impl Work for LookUp {
    type Outcome = Vec<Row>;

    fn goes_with(&self, other: &Self) -> bool {
        self.sql == other.sql
    }
}

/// Each one's rows, of rows that begin with the number of who asked, from 1 on.
pub(super) fn dealt_out(asked: usize, rows: impl Iterator<Item = Result<Row, Error>>) -> Result<Vec<Vec<Row>>, Error> {
    let mut found: Vec<Vec<Row>> = std::iter::repeat_with(Vec::new).take(asked).collect();
    for row in rows {
        let mut row = row?;
        let number = usize::try_from(row.int(0)?).unwrap_or(0);
        let place = number.checked_sub(1).and_then(|at| found.get_mut(at));
        row.0.remove(0);
        place.ok_or(Error::Corrupt { what: "a row of nobody who asked" })?.push(row);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    #[test]
    fn who_asked_gets_the_rows_of_that_number_and_nobody_elses() {
        let rows = [args![2, "b"], args![1, "a"], args![2, "c"]].map(|values| Ok(Row(values)));
        let found = dealt_out(3, rows.into_iter()).unwrap();
        assert_eq!(found, [vec![Row(args!["a"])], vec![Row(args!["b"]), Row(args!["c"])], vec![]]);
    }

    #[test]
    fn a_row_of_nobody_is_an_error_and_no_answer() {
        for number in [0, 3, -1] {
            assert!(dealt_out(2, [Ok(Row(args![number, "a"]))].into_iter()).is_err());
        }
    }

    #[test]
    fn only_the_same_text_goes_together() {
        let ask = |sql| LookUp { sql: Cow::Borrowed(sql), args: vec![] };
        assert!(ask("SELECT 1").goes_with(&ask("SELECT 1")));
        assert!(!ask("SELECT 1").goes_with(&ask("SELECT 2")));
    }
}
