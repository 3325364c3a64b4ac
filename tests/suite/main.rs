//! Everything that needs a database, a server or the released binary, as one test program: it links once.

mod support;

mod administration;
mod authentication;
mod cli;
mod config;
mod gateway;
mod query_sql;
mod statements;
mod store_conformance;
