//! Compiles `model::query` to bound SQL.
