//! The providers, as data: where each is, what it is asked for, and how it bends the standard. What needs more than data is in
//! [`super::hooks`]. Pure.

use crate::model::connection::ConnectionKind;

/// Where a provider's endpoints come from, unless the connection says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Its own document under this issuer (OpenID Connect Discovery).
    Issuer(&'static str),
    /// The same, under an issuer that the connection has to name.
    IssuerOfConnection,
    /// Microsoft's, by tenant.
    MicrosoftTenant,
    /// Published nowhere but in its manual.
    Fixed { authorization: &'static str, token: &'static str, profile: &'static str },
    /// All three are options of the connection.
    Connection,
}

/// Whether a challenge goes along (RFC 7636).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    Always,
    /// Where the provider's document lists S256.
    IfAdvertised,
    /// It refuses the verifier.
    Never,
}

/// How the client secret is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Basic,
    Post,
    /// By the document; where that says nothing, Basic (RFC 8414 §2).
    ByMetadata,
}

/// Which of its claims is a person's id for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserId {
    Path(&'static [&'static str]),
    /// These with a character between them.
    Pair(&'static str, &'static str, char),
    /// What the connection's `user_id_path` says.
    Connection,
}

/// What a kind does beyond the data of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    None,
    GithubEmails,
    AppleClientSecret,
    MicrosoftTenants,
    FacebookProof,
    DiscordPicture,
}

#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub kind: ConnectionKind,
    pub place: Place,
    pub scopes: &'static str,
    /// Between scopes, on the way there and back.
    pub separator: char,
    pub challenge: Challenge,
    /// Whether it repeats our nonce in the ID token.
    pub echoes_nonce: bool,
    pub shown: Shown,
    /// `response_mode` that its scopes force.
    pub response_mode: Option<&'static str>,
    pub user_id: UserId,
    /// Other spellings of its issuer, which are taken for it.
    pub spellings: &'static [&'static str],
    pub hook: Hook,
}

impl Kind {
    /// Does it sign people in with an ID token?
    pub fn is_oidc(&self) -> bool {
        matches!(self.place, Place::Issuer(_) | Place::IssuerOfConnection | Place::MicrosoftTenant)
    }
}

const SUB: UserId = UserId::Path(&["sub"]);
const ID: UserId = UserId::Path(&["id"]);
const OPENID: &str = "openid profile email";

/// What most providers do.
const USUAL: Kind = Kind {
    kind: ConnectionKind::Oidc,
    place: Place::IssuerOfConnection,
    scopes: OPENID,
    separator: ' ',
    challenge: Challenge::IfAdvertised,
    echoes_nonce: true,
    shown: Shown::ByMetadata,
    response_mode: None,
    user_id: SUB,
    spellings: &[],
    hook: Hook::None,
};

/// Without an ID token.
const USUAL_OAUTH: Kind = Kind { echoes_nonce: false, shown: Shown::Post, ..USUAL };

const TABLE: &[Kind] = &[
    Kind {
        kind: ConnectionKind::GoogleOauth2,
        place: Place::Issuer("https://accounts.google.com"),
        challenge: Challenge::Always,
        shown: Shown::Post,
        spellings: &["accounts.google.com"],
        ..USUAL
    },
    Kind {
        kind: ConnectionKind::Waad,
        place: Place::MicrosoftTenant,
        challenge: Challenge::Always,
        shown: Shown::Post,
        user_id: UserId::Pair("tid", "oid", '.'),
        hook: Hook::MicrosoftTenants,
        ..USUAL
    },
    Kind {
        kind: ConnectionKind::WindowsLive,
        // The tenant of private accounts: the issuer in their tokens, letter by letter.
        place: Place::Issuer("https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"),
        challenge: Challenge::Always,
        shown: Shown::Post,
        ..USUAL
    },
    Kind {
        kind: ConnectionKind::Github,
        place: Place::Fixed {
            authorization: "https://github.com/login/oauth/authorize",
            token: "https://github.com/login/oauth/access_token",
            profile: "https://api.github.com/user",
        },
        scopes: "read:user user:email",
        challenge: Challenge::Always,
        user_id: ID,
        hook: Hook::GithubEmails,
        ..USUAL_OAUTH
    },
    Kind {
        kind: ConnectionKind::Gitlab,
        place: Place::Issuer("https://gitlab.com"),
        challenge: Challenge::Always,
        shown: Shown::Post,
        ..USUAL
    },
    Kind {
        kind: ConnectionKind::Facebook,
        place: Place::Fixed {
            authorization: "https://www.facebook.com/v23.0/dialog/oauth",
            token: "https://graph.facebook.com/v23.0/oauth/access_token",
            profile: "https://graph.facebook.com/v23.0/me?fields=id,name,first_name,middle_name,last_name,email,\
                      picture.width(256).height(256)",
        },
        scopes: "email public_profile",
        challenge: Challenge::Always,
        user_id: ID,
        hook: Hook::FacebookProof,
        ..USUAL_OAUTH
    },
    Kind {
        kind: ConnectionKind::Linkedin,
        place: Place::Issuer("https://www.linkedin.com/oauth"),
        challenge: Challenge::Never,
        echoes_nonce: false,
        shown: Shown::Post,
        spellings: &["https://www.linkedin.com"],
        ..USUAL
    },
    Kind {
        kind: ConnectionKind::Apple,
        place: Place::Issuer("https://appleid.apple.com"),
        scopes: "name email",
        shown: Shown::Post,
        response_mode: Some("form_post"),
        spellings: &["https://account.apple.com"],
        hook: Hook::AppleClientSecret,
        ..USUAL
    },
    Kind {
        kind: ConnectionKind::Twitter,
        place: Place::Fixed {
            authorization: "https://x.com/i/oauth2/authorize",
            token: "https://api.x.com/2/oauth2/token",
            profile: "https://api.x.com/2/users/me?user.fields=id,name,username,profile_image_url,confirmed_email,created_at,verified",
        },
        // The address takes `users.email`, which an application has to be allowed first.
        scopes: "users.read tweet.read",
        challenge: Challenge::Always,
        shown: Shown::Basic,
        user_id: UserId::Path(&["data", "id"]),
        ..USUAL_OAUTH
    },
    Kind {
        kind: ConnectionKind::Slack,
        place: Place::Issuer("https://slack.com"),
        challenge: Challenge::Never,
        shown: Shown::Post,
        // Ids are those of one workspace.
        user_id: UserId::Pair("https://slack.com/team_id", "https://slack.com/user_id", '-'),
        ..USUAL
    },
    Kind {
        kind: ConnectionKind::Discord,
        place: Place::Fixed {
            authorization: "https://discord.com/oauth2/authorize",
            token: "https://discord.com/api/oauth2/token",
            profile: "https://discord.com/api/users/@me",
        },
        scopes: "identify email",
        challenge: Challenge::Always,
        user_id: ID,
        hook: Hook::DiscordPicture,
        ..USUAL_OAUTH
    },
    Kind {
        kind: ConnectionKind::Amazon,
        place: Place::Fixed {
            authorization: "https://www.amazon.com/ap/oa",
            token: "https://api.amazon.com/auth/o2/token",
            profile: "https://api.amazon.com/user/profile",
        },
        scopes: "profile",
        challenge: Challenge::Always,
        user_id: UserId::Path(&["user_id"]),
        ..USUAL_OAUTH
    },
    Kind {
        kind: ConnectionKind::Salesforce,
        place: Place::Issuer("https://login.salesforce.com"),
        challenge: Challenge::Always,
        shown: Shown::Post,
        user_id: UserId::Path(&["user_id"]),
        ..USUAL
    },
    Kind { kind: ConnectionKind::Oidc, ..USUAL },
    Kind {
        kind: ConnectionKind::Oauth2,
        place: Place::Connection,
        scopes: "",
        challenge: Challenge::Always,
        user_id: UserId::Connection,
        ..USUAL_OAUTH
    },
];

/// The row of a kind; `None`: people do not sign in by OAuth there.
pub fn of(kind: ConnectionKind) -> Option<&'static Kind> {
    TABLE.iter().find(|row| row.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    #[test]
    fn every_kind_by_oauth_has_one_row_and_no_other_has_one() {
        for kind in ConnectionKind::ALL {
            let rows = TABLE.iter().filter(|row| row.kind == kind).count();
            assert_eq!(rows, usize::from(kind.is_oauth()), "{}", kind.as_str());
        }
    }

    #[test]
    fn every_address_is_https_and_an_issuer_has_no_slash_at_its_end() {
        for row in TABLE {
            match row.place {
                Place::Issuer(issuer) => assert!(issuer.starts_with("https://") && !issuer.ends_with('/'), "{issuer}"),
                Place::Fixed { authorization, token, profile } => {
                    for address in [authorization, token, profile] {
                        assert_eq!(
                            Url::parse(address).map(|url| url.scheme().to_owned()),
                            Ok(String::from("https")),
                            "{address}"
                        );
                    }
                }
                Place::IssuerOfConnection | Place::MicrosoftTenant | Place::Connection => {}
            }
        }
    }

    #[test]
    fn what_bends_the_standard_is_known() {
        let of = |kind| of(kind).expect("a row");
        assert_eq!(of(ConnectionKind::Linkedin).challenge, Challenge::Never, "a verifier makes its token call fail");
        assert!(!of(ConnectionKind::Linkedin).echoes_nonce);
        assert_eq!(of(ConnectionKind::Apple).response_mode, Some("form_post"));
        assert_eq!(of(ConnectionKind::Twitter).shown, Shown::Basic);
        assert_eq!(of(ConnectionKind::GoogleOauth2).spellings, ["accounts.google.com"]);
        assert!(TABLE.iter().filter(|row| row.is_oidc() && row.kind != ConnectionKind::Linkedin).all(|row| row.echoes_nonce));
    }
}
