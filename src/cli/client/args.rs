//! What may be typed behind `rosterd client`.

use crate::cli::context::TenantArg;
use crate::cli::span::Expiry;
use crate::model::client::ClientKeys;
use crate::model::provider_key::SigningAlg;
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use std::io::Read as _;
use std::path::PathBuf;

/// Longest file of keys.
const JWKS_BYTES_MAX: u64 = 64 << 10;

#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Register an application; prints its id and, once, its secret
    Create(CreateArgs),
    /// List all applications of a tenant
    List(ListArgs),
    /// Show one, by name or client id
    Show(ShowArgs),
    /// Change its name, its addresses, its claims or its secret
    Update(UpdateArgs),
    /// End all it was given: people sign in to it again, a machine fetches another token
    Revoke(RevokeArgs),
    /// Remove one; what it was let have ends with it
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd client create shop --redirect-uri https://shop.example/callback --json
  rosterd client create app --native --redirect-uri com.example.app:/callback
  rosterd client create shop --redirect-uri https://shop.example/cb --claims-mapping shop-claims
  rosterd client create robot --machine --scopes read:clients,create:clients
  rosterd client create shop --redirect-uri https://shop.example/cb --jwks-uri https://shop.example/keys.json")]
pub struct CreateArgs {
    /// 1 to 128 characters
    pub(super) name: String,
    /// An address people are sent back to with a code, compared to the byte; repeatable
    #[arg(long = "redirect-uri", value_name = "URL")]
    pub(super) redirect_uris: Vec<String>,
    /// An address people may be sent to after they signed out; repeatable
    #[arg(long = "post-logout-redirect-uri", value_name = "URL")]
    pub(super) post_logout_redirect_uris: Vec<String>,
    /// It can't keep a secret: a page's script, or a program on somebody's machine
    #[arg(long, conflicts_with = "machine")]
    pub(super) public: bool,
    /// Public, and a program on somebody's machine
    #[arg(long, conflicts_with = "machine")]
    pub(super) native: bool,
    /// It logs nobody in and calls the management API by itself
    #[arg(long, requires = "scopes", conflicts_with_all = ["redirect_uris", "post_logout_redirect_uris", "connections", "alg", "claims_mapping", "claims_by_userinfo"])]
    pub(super) machine: bool,
    /// With --machine: what its tokens may be given, for instance read:users
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', requires = "machine")]
    pub(super) scopes: Vec<String>,
    /// What ID tokens are signed with: RS256 (the default), ES256 or EdDSA
    #[arg(long, value_name = "ALG", value_parser = alg)]
    pub(super) alg: Option<SigningAlg>,
    /// A connection its people may come by; repeatable. Without one they may come by any
    #[arg(long = "connection", value_name = "NAME")]
    pub(super) connections: Vec<String>,
    /// Claims at /userinfo alone, and not in the ID token
    #[arg(long)]
    pub(super) claims_by_userinfo: bool,
    /// Ask its people what it may know of them: for an application of somebody else's
    #[arg(long, conflicts_with = "machine")]
    pub(super) ask_consent: bool,
    /// A mapping from profile to oidc, for claims of its own
    #[arg(long, value_name = "NAME")]
    pub(super) claims_mapping: Option<String>,
    #[command(flatten)]
    pub(super) keys: KeysArgs,
    /// It needs no PKCE, for a library that knows none: then it has to send a nonce
    #[arg(long, conflicts_with_all = ["machine", "public", "native"])]
    pub(super) without_pkce: bool,
    #[command(flatten)]
    pub(super) tenant: TenantArg,
    /// Say what would be registered, and register nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    #[arg(long, help = "Print JSON")]
    pub(super) json: bool,
}

/// What an application proves itself by instead of a secret (`private_key_jwt`).
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// A file with its public keys (JWKS), in place of a secret
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    pub(super) jwks: Option<PathBuf>,
    /// Where it publishes its public keys, in place of a secret
    #[arg(long, value_name = "URL")]
    pub(super) jwks_uri: Option<String>,
    /// With --jwks-uri: take http:// on this machine, for trying out
    #[arg(long, requires = "jwks_uri")]
    pub(super) allow_plaintext: bool,
}

impl KeysArgs {
    pub(super) fn read(self) -> anyhow::Result<Option<ClientKeys>> {
        let Self { jwks, jwks_uri, allow_plaintext } = self;
        if let Some(uri) = jwks_uri {
            return Ok(Some(ClientKeys::At { uri, allow_plaintext }));
        }
        let Some(path) = jwks else { return Ok(None) };
        let mut text = String::new();
        let file = std::fs::File::open(&path).with_context(|| format!("--jwks: {}", path.display()))?;
        file.take(JWKS_BYTES_MAX + 1).read_to_string(&mut text).with_context(|| format!("--jwks: {}", path.display()))?;
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > JWKS_BYTES_MAX {
            bail!("--jwks: {} has more than {JWKS_BYTES_MAX} bytes", path.display());
        }
        let set = serde_json::from_str(&text).with_context(|| format!("--jwks: {} is no JSON", path.display()))?;
        Ok(Some(ClientKeys::Set(set)))
    }
}

#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    pub(super) tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Name or client id
    pub(super) name: String,
    #[command(flatten)]
    pub(super) tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd client update shop --redirect-uri https://new.example/cb --remove-redirect-uri https://shop.example/cb
  rosterd client update shop --claims-mapping shop-claims --dry-run
  rosterd client update shop --rotate-secret --overlap 7d --json
  rosterd client update shop --jwks shop-keys.json")]
pub struct UpdateArgs {
    /// Name or client id
    pub(super) name: String,
    /// What it is called from now on
    #[arg(long = "name", value_name = "TEXT")]
    pub(super) new_name: Option<String>,
    /// An address to add; repeatable
    #[arg(long = "redirect-uri", value_name = "URL")]
    pub(super) redirect_uris: Vec<String>,
    /// An address to take away; repeatable
    #[arg(long = "remove-redirect-uri", value_name = "URL")]
    pub(super) removed_redirect_uris: Vec<String>,
    /// An address to add; repeatable
    #[arg(long = "post-logout-redirect-uri", value_name = "URL")]
    pub(super) post_logout_redirect_uris: Vec<String>,
    /// An address to take away; repeatable
    #[arg(long = "remove-post-logout-redirect-uri", value_name = "URL")]
    pub(super) removed_post_logout_redirect_uris: Vec<String>,
    /// A connection to add to those its people may come by; repeatable
    #[arg(long = "connection", value_name = "NAME")]
    pub(super) connections: Vec<String>,
    /// A connection to take away; without one left they may come by any
    #[arg(long = "remove-connection", value_name = "NAME")]
    pub(super) removed_connections: Vec<String>,
    /// What ID tokens are signed with from now on
    #[arg(long, value_name = "ALG", value_parser = alg)]
    pub(super) alg: Option<SigningAlg>,
    /// A machine's scopes, all of them
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    pub(super) scopes: Option<Vec<String>>,
    /// Claims at /userinfo alone (true), or in the ID token too (false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(super) claims_by_userinfo: Option<bool>,
    /// Ask its people what it may know of them (true), or not (false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(super) ask_consent: Option<bool>,
    /// A mapping from profile to oidc, for claims of its own
    #[arg(long, value_name = "NAME", conflicts_with = "no_claims_mapping")]
    pub(super) claims_mapping: Option<String>,
    /// No claims of its own any more
    #[arg(long)]
    pub(super) no_claims_mapping: bool,
    #[command(flatten)]
    pub(super) keys: KeysArgs,
    /// No keys any more: a secret is made and printed, this once
    #[arg(long, conflicts_with_all = ["jwks", "jwks_uri"])]
    pub(super) no_jwks: bool,
    /// It needs no PKCE (true), or does (false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(super) without_pkce: Option<bool>,
    /// Make a new secret and print it; the one until now works on for --overlap. Nothing else changes with it
    #[arg(long, conflicts_with_all = ["new_name", "redirect_uris", "removed_redirect_uris", "post_logout_redirect_uris", "removed_post_logout_redirect_uris", "connections", "removed_connections", "alg", "scopes", "claims_by_userinfo", "ask_consent", "claims_mapping", "no_claims_mapping", "jwks", "jwks_uri", "no_jwks", "without_pkce"])]
    pub(super) rotate_secret: bool,
    /// How long the secret until now works on, for instance 24h or 7d, at most 90d; none: it is out at once, with what a machine fetched by it
    #[arg(long, value_name = "DURATION", default_value = "24h", requires = "rotate_secret", value_parser = overlap)]
    pub(super) overlap: Expiry,
    #[command(flatten)]
    pub(super) tenant: TenantArg,
    /// Say what it would be, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    #[arg(long, help = "Print JSON")]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Nobody is signed out here, and what people said it may know stays. What it can be kept out by for good: --rotate-secret, or delete.

Examples:
  rosterd client revoke robot --yes
  rosterd client revoke shop --dry-run --json")]
pub struct RevokeArgs {
    /// Name or client id
    pub(super) name: String,
    #[command(flatten)]
    pub(super) tenant: TenantArg,
    /// Show what would end, and end nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Don't ask
    #[arg(long)]
    pub(super) yes: bool,
    #[arg(long, help = "Print JSON")]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Name or client id
    pub(super) name: String,
    #[command(flatten)]
    pub(super) tenant: TenantArg,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Don't ask
    #[arg(long)]
    pub(super) yes: bool,
    #[arg(long, help = "Print JSON")]
    pub(super) json: bool,
}

fn overlap(text: &str) -> Result<Expiry, String> {
    // Over already.
    if text == "none" { Ok(Expiry::At(0)) } else { text.parse().map_err(|wanted: String| format!("{wanted}; or none")) }
}

fn alg(text: &str) -> Result<SigningAlg, String> {
    SigningAlg::parse(text).ok_or_else(|| String::from("wanted RS256, ES256 or EdDSA"))
}
