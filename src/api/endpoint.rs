//! What can be called, as values: method, path, scopes, what goes in and what comes out, and who answers. The router, the 405s,
//! the check of scopes and the description at `/api/v2/openapi.json` are all made of these, so that none of them can say
//! something else than the others. Refuses to know any resource.

use super::Answer;
use super::call::Call;
use super::problem::Problem;
use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};
use std::pin::Pin;

/// Who answers a call. Made by [`handler!`].
pub(super) type Handler = for<'c> fn(&'c Call<'c>, Body) -> Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send + 'c>>;

/// An `async fn(&Call<'_>, Body) -> Result<Answer, Problem>` as a [`Handler`]; `nobody` for one that is handed no body.
macro_rules! handler {
    ($path:path) => {
        |call, body| Box::pin($path(call, body))
    };
    ($path:path, nobody) => {
        |call, _| Box::pin($path(call))
    };
}
pub(super) use handler;

/// A JSON schema, made when somebody asks for the description.
pub(super) type Schema = fn() -> Value;

/// One call.
pub(super) struct Endpoint {
    pub(super) method: Method,
    /// Below `/api/v2`, as the router writes it: `/clients/{id}`.
    pub(super) path: &'static str,
    /// The name of the call in the description: `list_clients`.
    pub(super) id: &'static str,
    /// One of these is enough; none: every management token may.
    pub(super) scopes: &'static [&'static str],
    pub(super) handler: Handler,
    pub(super) summary: &'static str,
    pub(super) parameters: Vec<Parameter>,
    /// Media type and schema of what goes in.
    pub(super) takes: Vec<(&'static str, Schema)>,
    pub(super) answers: Vec<Told>,
}

/// An answer as the description tells it.
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) says: &'static str,
    /// Media type and schema; none where nothing comes out.
    pub(super) content: Option<(&'static str, Schema)>,
}

/// Something that may stand in the query string.
#[derive(Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) says: &'static str,
    pub(super) required: bool,
}

/// What a parameter is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Flag,
    Whole {
        least: i64,
        most: i64,
    },
    OneOf(&'static [&'static str]),
    /// May stand several times.
    Texts,
}

impl Kind {
    pub(super) fn schema(self) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Whole { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
            Self::OneOf(words) => json!({ "type": "string", "enum": words }),
            Self::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        }
    }
}

impl Parameter {
    pub(super) const fn new(name: &'static str, kind: Kind, says: &'static str) -> Self {
        Self { name, kind, says, required: false }
    }

    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

/// Parts of a list by number ([`super::page::Offset`]).
pub(super) const OFFSET: [Parameter; 3] = [
    Parameter::new("page", Kind::Whole { least: 0, most: 1_000_000 }, "which part, from 0"),
    Parameter::new("per_page", Kind::Whole { least: 1, most: 100 }, "entries of a part, 50 if nothing is said"),
    Parameter::new("include_totals", Kind::Flag, "whether the answer says how many there are in all"),
];
/// Parts of a list by checkpoint ([`super::page::Page`]).
pub(super) const CHECKPOINT: [Parameter; 2] = [
    Parameter::new("from", Kind::Text, "the `next` of an earlier part"),
    Parameter::new("take", Kind::Whole { least: 1, most: 100 }, "entries of a part, 50 if nothing is said"),
];
/// Which members of each entry ([`super::page::with_fields`]).
pub(super) const FIELDS: [Parameter; 2] = [
    Parameter::new("fields", Kind::Text, "root members, separated by commas"),
    Parameter::new("include_fields", Kind::Flag, "false: all but the `fields`"),
];
/// Of every write that can answer with its plan.
pub(super) const DRY_RUN: [Parameter; 1] =
    [Parameter::new("dry_run", Kind::Flag, "true: nothing is done, and the answer is what would be")];

impl Endpoint {
    pub(super) fn new(
        method: Method,
        path: &'static str,
        id: &'static str,
        scopes: &'static [&'static str],
        handler: Handler,
    ) -> Self {
        let (parameters, takes, answers) = (Vec::new(), Vec::new(), Vec::new());
        Self { method, path, id, scopes, handler, summary: "", parameters, takes, answers }
    }

    /// In a line, what it does.
    pub(super) const fn does(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    pub(super) fn with(mut self, parameters: &[Parameter]) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// A body of JSON.
    pub(super) fn takes(self, schema: Schema) -> Self {
        self.takes_as("application/json", schema)
    }

    pub(super) fn takes_as(mut self, media_type: &'static str, schema: Schema) -> Self {
        self.takes.push((media_type, schema));
        self
    }

    /// An answer of JSON.
    pub(super) fn answers(self, status: u16, says: &'static str, schema: Schema) -> Self {
        self.answers_as(status, says, "application/json", schema)
    }

    pub(super) fn answers_as(mut self, status: u16, says: &'static str, media_type: &'static str, schema: Schema) -> Self {
        self.answers.push(Told { status, says, content: Some((media_type, schema)) });
        self
    }

    /// An answer without a body.
    pub(super) fn answers_nothing(mut self, status: u16, says: &'static str) -> Self {
        self.answers.push(Told { status, says, content: None });
        self
    }

    /// A refusal of its own, beside those that every call may get.
    pub(super) fn refuses(mut self, status: u16, says: &'static str) -> Self {
        self.answers.push(Told { status, says, content: Some(("application/json", super::problem::schema)) });
        self
    }
}
