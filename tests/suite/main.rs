//! Everything that needs a database, a server or the released binary, as one test program: it links once.

mod support;

mod statements;
mod store_conformance;
