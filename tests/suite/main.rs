//! Everything that needs a database, a server or the released binary, as one test program: it links once.

mod support;

mod conformance_tools;
mod idp_sequences;
mod query_sql;
mod statements;
mod store_conformance;
