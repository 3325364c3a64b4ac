//! Compiles `model::query` to bound SQL.
use super::Value;
use crate::model::query::Query;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target { Users, Groups }
pub struct Compiled { pub condition: Option<String>, pub args: Vec<Value>, pub exact: bool }
pub fn compile(_q: &Query, _t: Target, _f: usize) -> Compiled { Compiled { condition: None, args: vec![], exact: false } }
