//! Everything that needs a database, a server or the released binary, as one test program: it links once.

#![expect(unsafe_code, reason = "signals and user ids of child processes have no safe form in std")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test says what went wrong by failing")]

mod support;

mod administration;
mod architecture;
mod attacks;
mod attributes;
mod authentication;
mod bad_input;
mod budget;
mod bulk;
mod checklist;
mod cli;
mod concurrency;
mod config;
mod conformance_tools;
mod directory_changes;
mod directory_check;
mod directory_dry_run;
mod directory_reads;
mod directory_settings;
mod discovery;
mod documentation;
mod errors;
mod faults;
mod filter_equivalence;
mod gateway;
mod idp_sequences;
mod import_differential;
mod joining;
mod kill;
mod kill_bulk;
mod login_attacks;
mod login_bind;
mod login_limits;
mod login_mapper;
mod logins;
mod mapping_cli;
mod mapping_differential;
mod me_and_etags;
mod operations;
mod paging;
mod policies;
mod pooler;
mod positions;
mod query_plans;
mod query_sql;
mod reading;
mod resources;
mod reversals;
mod schema_extensions;
mod scim_limits;
mod sessions;
mod statements;
mod store_conformance;
mod sync_active_directory;
mod sync_faults;
mod sync_groups;
mod sync_guard;
mod sync_people;
mod sync_schedule;
mod token_rotation;
mod traffic;
mod writing;
