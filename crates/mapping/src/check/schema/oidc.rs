//! Standard claims of an ID token and of userinfo (OpenID Connect Core 1.0 §2, §5.1). Open: providers add their own.

use super::Known;
use crate::types::{Type, Typed};

/// `email_verified` stays JSON: several providers send it as text.
const CLAIMS: &[(&str, Type)] = &[
    ("sub", Type::String),
    ("iss", Type::String),
    ("name", Type::String),
    ("given_name", Type::String),
    ("family_name", Type::String),
    ("middle_name", Type::String),
    ("nickname", Type::String),
    ("preferred_username", Type::String),
    ("profile", Type::String),
    ("picture", Type::String),
    ("website", Type::String),
    ("email", Type::String),
    ("email_verified", Type::Json),
    ("gender", Type::String),
    ("birthdate", Type::String),
    ("zoneinfo", Type::String),
    ("locale", Type::String),
    ("phone_number", Type::String),
    ("phone_number_verified", Type::Json),
    ("updated_at", Type::Json),
    ("acr", Type::String),
    ("azp", Type::String),
];

const ADDRESS: [&str; 6] = ["formatted", "street_address", "locality", "region", "postal_code", "country"];

pub fn find(name: &str) -> Option<Known> {
    match name {
        "address" => {
            let fields: Vec<(Box<str>, Typed)> =
                ADDRESS.iter().map(|field| ((*field).into(), Type::String.or_absent())).collect();
            Some(Known::new(name, Type::Record(Some(fields)), false))
        }
        "amr" => Some(Known::new(name, Type::String, true)),
        _ => CLAIMS.iter().find(|(claim, _)| *claim == name).map(|(claim, ty)| Known::new(claim, ty.clone(), false)),
    }
}

pub fn names() -> impl Iterator<Item = &'static str> {
    CLAIMS.iter().map(|(name, _)| *name).chain(["address", "amr"])
}
