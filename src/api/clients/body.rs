//! The members of a body that says something of an application, in the words of management tools. Whatever is not known is refused by
//! name: a setting that is ignored would be one that somebody relies on. Pure.

use crate::api::problem::Problem;
use crate::model::client::{ClientKeys, ClientKind, ClientOptions};
use crate::model::provider_key::SigningAlg;
use crate::registration::decide::Wanted;
use crate::registration::shown::{app_type, auth_methods, grant_types};
use serde_json::{Map, Value};

/// What a body says of a new application.
///
/// # Errors
/// 400 for the first member that is unknown, of another type, or contradicts what the application is.
pub(super) fn new(members: &Map<String, Value>) -> Result<(ClientKind, Wanted), Problem> {
    let kind = match text(members, "app_type")? {
        Some(name) => known_type(name)?.0,
        None if text(members, "token_endpoint_auth_method")? == Some("none") => ClientKind::Public,
        None => ClientKind::Confidential,
    };
    Ok((kind, wanted(members, kind, false)?))
}

/// What a body says of an application that is there.
///
/// # Errors
/// As [`new`].
pub(super) fn of(members: &Map<String, Value>, options: &ClientOptions) -> Result<Wanted, Problem> {
    if let Some(name) = text(members, "app_type")?
        && known_type(name)?.0 != options.kind
    {
        let says = format!("the application is and stays {}", app_type(options));
        return Err(Problem::member("app_type", says));
    }
    wanted(members, options.kind, options.keys.is_some())
}

fn wanted(members: &Map<String, Value>, kind: ClientKind, has_keys: bool) -> Result<Wanted, Problem> {
    let mut wanted = Wanted { keys: keys(members)?, ..Wanted::default() };
    let has_keys = wanted.keys.as_ref().map_or(has_keys, Option::is_some);
    for (name, value) in members {
        match name.as_str() {
            "name" => wanted.name = Some(of_text(name, value)?.to_owned()),
            "app_type" => {
                let (of, native) = known_type(of_text(name, value)?)?;
                wanted.native = (of == ClientKind::Public).then_some(native);
            }
            "callbacks" => wanted.redirect_uris = Some(texts(name, value)?),
            "allowed_logout_urls" => wanted.post_logout_redirect_uris = Some(texts(name, value)?),
            "connections" => wanted.connections = Some(texts(name, value)?),
            "scopes" => wanted.scopes = Some(texts(name, value)?),
            "token_endpoint_auth_method" => {
                let method = of_text(name, value)?;
                let methods = auth_methods(kind, has_keys);
                if method == "private_key_jwt" && !has_keys && kind != ClientKind::Public {
                    return Err(Problem::member(name, "private_key_jwt wants the application's public keys: jwks or jwks_uri"));
                }
                if !methods.contains(&method) {
                    return Err(Problem::member(name, format!("this application has {}", methods.join(" and "))));
                }
            }
            "grant_types" => {
                let given = texts(name, value)?;
                let fits =
                    given.len() == grant_types(kind).len() && given.iter().all(|one| grant_types(kind).contains(&one.as_str()));
                if !fits {
                    return Err(Problem::member(name, format!("this application has {}", grant_types(kind).join(" and "))));
                }
            }
            "jwt_configuration" => wanted.alg = alg(value)?,
            // Read together.
            "jwks" | "jwks_uri" => {}
            "pkce_required" => wanted.without_pkce = Some(!of_bool(name, value)?),
            "id_token_claims" => wanted.id_token_claims = Some(of_bool(name, value)?),
            "asks_consent" => wanted.asks_consent = Some(of_bool(name, value)?),
            "claims_mapping" => {
                let mapping = if value.is_null() { None } else { Some(of_text(name, value)?.to_owned()) };
                wanted.claims_mapping = Some(mapping);
            }
            _ => return Err(unknown(name)),
        }
    }
    Ok(wanted)
}

pub(super) fn unknown(path: &str) -> Problem {
    // Of what was sent no more than a name's length comes back.
    let name: String = path.chars().take(64).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    Problem::member(&name, format!("Additional properties not allowed: {name}"))
}

/// What is said of keys: a set or an address, and none where null is all that is said.
fn keys(members: &Map<String, Value>) -> Result<Option<Option<ClientKeys>>, Problem> {
    let (set, uri) = (members.get("jwks"), members.get("jwks_uri"));
    match (set.filter(|set| !set.is_null()), uri.filter(|uri| !uri.is_null())) {
        (Some(_), Some(_)) => Err(Problem::member("jwks_uri", "there are keys in jwks already; wanted one of the two")),
        (Some(set), None) if set.is_object() => Ok(Some(Some(ClientKeys::Set(set.clone())))),
        (Some(_), None) => Err(Problem::member("jwks", "Expected type object")),
        (None, Some(uri)) => {
            let uri = of_text("jwks_uri", uri)?.to_owned();
            Ok(Some(Some(ClientKeys::At { uri, allow_plaintext: false })))
        }
        (None, None) => Ok((set.is_some() || uri.is_some()).then_some(None)),
    }
}

fn alg(value: &Value) -> Result<Option<SigningAlg>, Problem> {
    let Value::Object(members) = value else {
        return Err(Problem::member("jwt_configuration", "Expected type object"));
    };
    if let Some(other) = members.keys().find(|name| *name != "alg") {
        return Err(unknown(&format!("jwt_configuration.{other}")));
    }
    let Some(value) = members.get("alg") else { return Ok(None) };
    let known = SigningAlg::parse(of_text("jwt_configuration.alg", value)?);
    known.map(Some).ok_or_else(|| Problem::member("jwt_configuration.alg", "wanted RS256, ES256 or EdDSA"))
}

fn known_type(name: &str) -> Result<(ClientKind, bool), Problem> {
    match name {
        "regular_web" => Ok((ClientKind::Confidential, false)),
        "spa" => Ok((ClientKind::Public, false)),
        "native" => Ok((ClientKind::Public, true)),
        "non_interactive" => Ok((ClientKind::Machine, false)),
        _ => Err(Problem::member("app_type", "wanted regular_web, spa, native or non_interactive")),
    }
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Result<Option<&'m str>, Problem> {
    members.get(name).map(|value| of_text(name, value)).transpose()
}

fn of_text<'v>(name: &str, value: &'v Value) -> Result<&'v str, Problem> {
    value.as_str().ok_or_else(|| Problem::member(name, "Expected type string"))
}

fn of_bool(name: &str, value: &Value) -> Result<bool, Problem> {
    value.as_bool().ok_or_else(|| Problem::member(name, "Expected type boolean"))
}

/// A list of texts; null is an empty one.
fn texts(name: &str, value: &Value) -> Result<Vec<String>, Problem> {
    let wrong = || Problem::member(name, "Expected an array of strings");
    match value {
        Value::Null => Ok(vec![]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>().ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<(ClientKind, Wanted), String> {
        let Value::Object(members) = value else { panic!("an object") };
        new(&members).map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn the_words_of_tools_say_what_an_application_is() {
        for (body, kind, native) in [
            (json!({}), ClientKind::Confidential, None),
            (json!({"app_type": "regular_web"}), ClientKind::Confidential, None),
            (json!({"app_type": "spa", "token_endpoint_auth_method": "none"}), ClientKind::Public, Some(false)),
            (json!({"app_type": "native"}), ClientKind::Public, Some(true)),
            (json!({"token_endpoint_auth_method": "none"}), ClientKind::Public, None),
            (json!({"app_type": "non_interactive", "grant_types": ["client_credentials"]}), ClientKind::Machine, None),
        ] {
            let (found, wanted) = read(body.clone()).expect("readable");
            assert_eq!((found, wanted.native), (kind, native), "{body}");
        }
        let (_, wanted) =
            read(json!({"callbacks": null, "claims_mapping": null, "jwt_configuration": {"alg": "EdDSA"}})).expect("fine");
        assert_eq!((wanted.redirect_uris, wanted.claims_mapping), (Some(vec![]), Some(None)));
        assert_eq!(wanted.alg, Some(SigningAlg::EdDsa));
    }

    #[test]
    fn what_is_unknown_or_contradicts_itself_is_refused_by_name() {
        for (body, member) in [
            (json!({"nmae": "shop"}), "nmae"),
            (json!({"client_secret": "mine"}), "client_secret"),
            (json!({"name": 1}), "name"),
            (json!({"callbacks": "https://a.example"}), "callbacks"),
            (json!({"callbacks": [1]}), "callbacks"),
            (json!({"app_type": "sso"}), "app_type"),
            (json!({"token_endpoint_auth_method": "private_key_jwt"}), "token_endpoint_auth_method"),
            (json!({"jwks": {"keys": []}, "jwks_uri": "https://a.example"}), "jwks_uri"),
            (json!({"jwks": []}), "jwks"),
            (
                json!({"jwks_uri": "https://a.example", "token_endpoint_auth_method": "client_secret_post"}),
                "token_endpoint_auth_method",
            ),
            (json!({"app_type": "spa", "token_endpoint_auth_method": "private_key_jwt"}), "token_endpoint_auth_method"),
            (json!({"app_type": "spa", "token_endpoint_auth_method": "client_secret_post"}), "token_endpoint_auth_method"),
            (json!({"grant_types": ["authorization_code", "implicit"]}), "grant_types"),
            (json!({"grant_types": ["authorization_code"]}), "grant_types"),
            (json!({"jwt_configuration": {"alg": "HS256"}}), "jwt_configuration.alg"),
            (json!({"jwt_configuration": {"lifetime_in_seconds": 1}}), "jwt_configuration.lifetime_in_seconds"),
            (json!({"id_token_claims": "true"}), "id_token_claims"),
        ] {
            let problem = read(body.clone()).expect_err("refused");
            assert!(problem.contains(&format!("on property {member}\"")), "{body}: {problem}");
        }
    }
}
