//! An application's own token for the management API (RFC 6749 §4.4): a management token like an administrator's, for an hour, with
//! the scopes the application was given.

use super::Call;
use crate::clock::SECOND;
use crate::model::access::Token;
use crate::model::client::Client;
use crate::model::grant::ACCESS_LASTS;
use crate::model::ids::TokenId;
use crate::provider::error::Refusal;
use crate::provider::parameters::Parameters;
use crate::secret::TokenKind;
use crate::store::{Batch, clients};
use serde_json::{Value, json};

/// Those of `given` that are `asked` for; without a word all of them.
fn scopes(given: &[String], asked: Option<&str>) -> Result<Vec<String>, Refusal> {
    let Some(asked) = asked else { return Ok(given.to_vec()) };
    let words: Vec<String> = asked.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let has = |word: &String| given.contains(word);
    if words.is_empty() || !words.iter().all(has) {
        return Err(Refusal::scope("the application was not given all of these scopes"));
    }
    Ok(words)
}

pub(super) async fn exchange(call: &Call, client: &Client, form: &Parameters) -> Result<Value, Refusal> {
    let logins = &call.provider.logins;
    let now = call.provider.now();
    let scopes = scopes(&client.options.scopes, form.one("scope"))?;
    let text = TokenKind::Management.generate(&logins.entropy);
    let token = Token {
        tenant_id: call.tenant.id.clone(),
        id: TokenId::new(logins.entropy.uuid(now)),
        connection_id: None,
        name: client.name.clone(),
        scopes,
        expires_at: Some(now.saturating_add(ACCESS_LASTS)),
        revoked_at: None,
        last_used_at: None,
        created_at: now,
    };
    let mut batch = Batch::default();
    clients::insert_token(&mut batch, &client.id, &token, &logins.keys.hash_token(text.expose()));
    logins.store.apply(batch).await?;
    Ok(json!({
        "access_token": text.expose(),
        "token_type": "Bearer",
        "expires_in": ACCESS_LASTS / SECOND,
        "scope": token.scopes.join(" "),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gets_no_more_than_it_was_given() {
        let given = [String::from("read:users"), String::from("read:connections")];
        assert_eq!(scopes(&given, None).expect("all"), given);
        assert_eq!(scopes(&given, Some("read:users")).expect("one"), given[..1]);
        for asked in ["*", "write:users", "read:users write:users", " "] {
            assert_eq!(scopes(&given, Some(asked)).expect_err(asked).error, "invalid_scope");
        }
    }
}
