//! `/connections/…`: where users come from. What may be said of a connection is `registration`'s to decide; here are the words of the
//! wire. Secrets go in and never come out: `***` stands for one that is there.

mod body;
mod create;
mod delete;
mod list;
mod scim_configuration;
mod scim_tokens;
mod show;
mod status;
mod traffic;
mod update;

use super::call::Call;
use super::endpoint::{CHECKPOINT, DRY_RUN, Endpoint, FIELDS, Kind, OFFSET, Parameter, handler};
use super::problem::Problem;
use crate::model::connection_secrets::of_kind;
use crate::model::ids::ConnectionId;
use crate::registration::connections_shown;
use crate::store::connections::{self, StoredConnection};
use axum::http::Method;
use serde_json::{Value, json};

const READ: &str = "read:connections";
const CREATE: &str = "create:connections";
const UPDATE: &str = "update:connections";
const DELETE: &str = "delete:connections";
const SCIM: &str = "/connections/{id}/scim-configuration";
const TOKENS: &str = "/connections/{id}/scim-configuration/tokens";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut all = of_connections();
    all.extend(of_the_scim_side());
    all
}

fn of_connections() -> Vec<Endpoint> {
    const REFUSED: Parameter = Parameter::new("refused", Kind::Flag, "only what was refused");
    let (all, one) = ("/connections", "/connections/{id}");
    vec![
        Endpoint::new(Method::GET, all, "list_connections", &[READ], handler!(list::list, nobody))
            .does("Connections by name")
            .with(&[
                Parameter::new("strategy", Kind::Texts, "only of these kinds"),
                Parameter::new("name", Kind::Text, "only the one of this name"),
            ])
            .with(&OFFSET)
            .with(&CHECKPOINT)
            .with(&FIELDS)
            .answers(200, "a bare array, or an object with totals or a checkpoint", list_schema),
        Endpoint::new(Method::POST, all, "create_connection", &[CREATE], handler!(create::create))
            .does("Makes a connection")
            .with(&DRY_RUN)
            .takes(body_schema)
            .answers(200, "what would be done (`dry_run`)", plan_schema)
            .answers(201, "what was made", schema)
            .refuses(409, "another connection has the name"),
        Endpoint::new(Method::GET, one, "show_connection", &[READ], handler!(show::show, nobody))
            .does("One connection with every option in force; `***` stands for a secret")
            .with(&FIELDS)
            .answers(200, "the connection", schema),
        Endpoint::new(Method::PATCH, one, "update_connection", &[UPDATE], handler!(update::update))
            .does("Changes a connection; `options` replace all options there are")
            .with(&DRY_RUN)
            .takes(body_schema)
            .answers(200, "the connection, or what would be done (`dry_run`)", schema)
            .refuses(409, "somebody else was quicker"),
        Endpoint::new(Method::DELETE, one, "delete_connection", &[DELETE], handler!(delete::delete, nobody))
            .does("Removes a connection nobody came in through, with its tokens and groups")
            .with(&DRY_RUN)
            .answers(200, "what would be done (`dry_run`)", plan_schema)
            .answers(202, "it is gone", deleted_schema)
            .answers_nothing(204, "it was gone already")
            .refuses(409, "users came in through it"),
        Endpoint::new(
            Method::GET,
            "/connections/{id}/status",
            "show_connection_status",
            &[READ],
            handler!(status::status, nobody),
        )
        .does("Whether the directory of a connection answered when it was last read; any other connection is up")
        .answers(200, "it is up", status_schema)
        .refuses(404, "there is no such connection, or its directory does not answer"),
        Endpoint::new(
            Method::GET,
            "/connections/{id}/traffic",
            "list_connection_traffic",
            &[READ],
            handler!(traffic::list, nobody),
        )
        .does("The newest requests of a connection, each refusal with what to change at the identity provider")
        .with(&CHECKPOINT)
        .with(&[REFUSED])
        .answers(200, "the newest first; bodies only with the scope read:raw", traffic_schema),
    ]
}

fn of_the_scim_side() -> Vec<Endpoint> {
    vec![
        Endpoint::new(
            Method::GET,
            SCIM,
            "show_scim_configuration",
            &["read:scim_config"],
            handler!(scim_configuration::show, nobody),
        )
        .does("By what a SCIM client names people on a connection, and what goes where")
        .answers(200, "the configuration", plan_schema),
        Endpoint::new(
            Method::POST,
            SCIM,
            "create_scim_configuration",
            &["create:scim_config"],
            handler!(scim_configuration::create),
        )
        .does("Lets a SCIM client push to a connection that people log in through")
        .with(&DRY_RUN)
        .takes(plan_schema)
        .answers(200, "what would be done (`dry_run`)", plan_schema)
        .answers(201, "the configuration", plan_schema),
        Endpoint::new(
            Method::PATCH,
            SCIM,
            "update_scim_configuration",
            &["update:scim_config"],
            handler!(scim_configuration::update),
        )
        .does("Changes by what a SCIM client names people; both members are wanted")
        .with(&DRY_RUN)
        .takes(plan_schema)
        .answers(200, "the configuration, or what would be done (`dry_run`)", plan_schema)
        .refuses(409, "somebody else was quicker"),
        Endpoint::new(
            Method::DELETE,
            SCIM,
            "delete_scim_configuration",
            &["delete:scim_config"],
            handler!(scim_configuration::delete, nobody),
        )
        .does("Nothing is pushed to the connection any more")
        .with(&DRY_RUN)
        .answers(200, "what would be done (`dry_run`)", plan_schema)
        .answers_nothing(204, "it is gone")
        .refuses(409, "tokens open its endpoint"),
        Endpoint::new(
            Method::GET,
            "/connections/{id}/scim-configuration/default-mapping",
            "show_default_scim_mapping",
            &["read:scim_config"],
            handler!(scim_configuration::default_mapping, nobody),
        )
        .does("What a new configuration begins with")
        .answers(200, "pairs of what goes where", plan_schema),
        Endpoint::new(
            Method::GET,
            "/connections-scim-configurations",
            "list_scim_configurations",
            &["read:scim_config"],
            handler!(scim_configuration::list, nobody),
        )
        .does("The SCIM configurations of all connections")
        .with(&CHECKPOINT)
        .answers(200, "by name of connection", plan_schema),
        Endpoint::new(Method::GET, TOKENS, "list_scim_tokens", &["read:scim_token"], handler!(scim_tokens::list, nobody))
            .does("The tokens that open the SCIM endpoint of a connection now, without their text")
            .answers(200, "a bare array", array_schema),
        Endpoint::new(Method::POST, TOKENS, "create_scim_token", &["create:scim_token"], handler!(scim_tokens::create))
            .does("A token for the SCIM client; its text is shown this once")
            .with(&DRY_RUN)
            .takes(plan_schema)
            .answers(200, "what would be done (`dry_run`)", plan_schema)
            .answers(201, "the token", plan_schema)
            .refuses(409, "there are two already"),
        Endpoint::new(
            Method::DELETE,
            "/connections/{id}/scim-configuration/tokens/{token_id}",
            "delete_scim_token",
            &["delete:scim_token"],
            handler!(scim_tokens::delete, nobody),
        )
        .does("Revokes a token for good")
        .with(&DRY_RUN)
        .answers(200, "what would be done (`dry_run`)", plan_schema)
        .answers_nothing(204, "it opens nothing any more"),
    ]
}

/// The connection that the path names by its id.
async fn find(call: &Call<'_>) -> Result<StoredConnection, Problem> {
    let id = ConnectionId::new(call.id_after("connections"));
    connections::find(&call.api.store, &call.tenant, &id).await?.ok_or_else(Problem::no_connection)
}

/// A connection with `***` for its secrets. Those that can't be read with the key there is are not shown.
async fn shown(call: &Call<'_>, stored: &StoredConnection) -> Result<Value, Problem> {
    let url = &call.api.public_url;
    if of_kind(stored.connection.kind).next().is_none() {
        return Ok(connections_shown::connection(stored, url));
    }
    let secrets = call.api.registrar.secrets_of(&stored.connection).await.unwrap_or_default();
    Ok(connections_shown::with_secrets(stored, secrets.names(), url))
}

fn schema() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "properties": { "id": text, "name": text, "strategy": text, "kind": text, "options": { "type": "object" } },
    })
}

fn list_schema() -> Value {
    let all = json!({ "type": "array", "items": schema() });
    json!({ "anyOf": [all, { "type": "object", "required": ["connections"], "properties": { "connections": all } }] })
}

fn body_schema() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "properties": {
            "name": text, "strategy": text, "display_name": text, "options": { "type": "object" },
            "organization_id": { "type": ["string", "null"] },
        },
    })
}

fn plan_schema() -> Value {
    json!({ "type": "object" })
}

fn array_schema() -> Value {
    json!({ "type": "array", "items": { "type": "object" } })
}

fn deleted_schema() -> Value {
    json!({ "type": "object", "properties": { "deleted_at": { "type": "string", "format": "date-time" } } })
}

fn status_schema() -> Value {
    json!({ "type": "object" })
}

fn traffic_schema() -> Value {
    json!({
        "type": "object",
        "required": ["source", "traffic"],
        "properties": { "traffic": { "type": "array", "items": { "type": "object" } }, "next": { "type": "string" } },
    })
}
