//! `rosterd users erase USER`: the person goes with all that names them; prints the proof, and verifies one.

use super::context::{Context, TenantArg};
use super::output;
use super::users::find_user;
use crate::mapping_files;
use crate::provisioning::Provisioner;
use crate::provisioning::manage::By;
use crate::provisioning::manage::write::Asked;
use crate::scim;
use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Args)]
#[command(after_long_help = "\
Gone are: the profile, every account of it with what its source sent, metadata, history, blocks, sessions, what applications were let have, and \
inbox rows about it. Log rows stay as what happened and when, without what names the person. Hashes of the ids at the sources stay, so that none of \
them brings the person back.\n\nThe proof is a document and its signature by a key of this installation: keep it, and check it with --verify FILE.")]
pub struct EraseArgs {
    /// user_id, e-mail address, user name, or SCIM id
    #[arg(required_unless_present = "verify")]
    user: Option<String>,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    /// Say what would go, and change nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Check a proof that an erasure printed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "yes", "dry_run"])]
    verify: Option<PathBuf>,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

pub async fn run(context: &Context, args: &EraseArgs) -> anyhow::Result<()> {
    if let Some(file) = &args.verify {
        return verify(context, file);
    }
    let name = args.user.as_deref().unwrap_or_default();
    let tenant = context.tenant(&args.tenant).await?;
    let user = find_user(context, &tenant.id, name).await?;
    if !args.dry_run && !output::confirmed(&format!("Erase {}", user.user_id), args.yes)? {
        bail!("nothing was erased");
    }
    let dir = context.config.mappings.dir.clone();
    let drafts = Arc::new(move |name: &str| mapping_files::find(&dir, name));
    let (store, clock, entropy) = (context.store.clone(), context.clock.clone(), context.entropy.clone());
    let provisioner = Provisioner::new(store, clock, entropy, drafts, scim::http::record::values);
    let audit = context.audit();
    let asked =
        Asked { tenant: &tenant.id, actor: &audit.actor, request_id: &audit.request_id, by: By::Api, dry_run: args.dry_run };
    let signs = |text: &str| context.keys.sign_erasure(text);
    let proof = provisioner.erase_person(&asked, &user.user_id, &signs).await?;
    if args.json || !args.dry_run {
        output::json(&proof)?;
    } else {
        output::line(format_args!("would go: {:#}", proof["document"]["gone"]))?;
    }
    Ok(())
}

fn verify(context: &Context, file: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
    let proof: Value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    let (document, signature) = (proof["document"].to_string(), proof["signature"].as_str().unwrap_or_default());
    if !context.keys.is_erasure(&document, signature) {
        bail!("the proof was altered, or another installation's key signed it");
    }
    output::line(format_args!("the proof is ours: erasure {} at {}", proof["document"]["erasure"], proof["document"]["at"]))?;
    Ok(())
}
