//! What the tests stand on: real servers on free loopback ports, stopped with the test program; the released binary,
//! the rows behind it, and recorded sequences replayed against both. No rule of the product is asserted here: that is
//! for the tests and the fixtures.

#![allow(dead_code, reason = "every test module uses its own part")]

pub mod anew;
pub mod application;
pub mod authlib;
pub mod bad_provider;
pub mod binary;
pub mod browser;
pub mod caller;
pub mod chromium;
pub mod cookies;
pub mod corp;
pub mod cost;
pub mod counted;
pub mod domain;
pub mod edge;
pub mod emulate;
pub mod federation;
pub mod filter_dice;
pub mod filter_oracle;
pub mod form;
pub mod gateway;
pub mod glewlwyd;
pub mod idp_metadata;
pub mod key_pair;
pub mod lemonldap;
pub mod login_site;
pub mod management;
pub mod matching;
pub mod minted;
pub mod mod_auth_openidc;
pub mod node_samlp;
pub mod oidc_site;
pub mod openid_client;
pub mod page;
pub mod panva;
pub mod postgres;
pub mod pysaml2_idp;
pub mod receiver;
pub mod relying_party;
pub mod reversal;
pub mod rows;
pub mod samba;
pub mod saml_site;
pub mod scripted_directory;
pub mod sequence;
pub mod serialization_faults;
pub mod served;
pub mod simplesamlphp;
pub mod slapd;
pub mod stores;
pub mod strict_party;
pub mod trail;
pub mod upstream_site;
pub mod web;
pub mod wire;
pub mod year;
