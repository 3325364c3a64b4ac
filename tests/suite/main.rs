//! Everything that needs a database, a server or the released binary, as one test program: it links once.

mod support;

mod attacks;
mod bad_input;
mod concurrency;
mod conformance_tools;
mod idp_sequences;
mod kill;
mod operations;
mod query_sql;
mod statements;
mod store_conformance;
