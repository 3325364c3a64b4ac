//! `rosterd schema …`

use super::context::{Context, TenantArg, did_you_mean};
use super::{Global, output};
use crate::clock::rfc3339;
use crate::model::tenant::Tenant;
use crate::scim::schema::extension::{self, BYTES_MAX, Extends, Extension, Problem};
use crate::scim::schema::{Attribute, Registry, Returned, Schema};
use crate::store::schema_extensions::{self, Scanned, StoredSchema};
use crate::store::{Batch, connections};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Register an extension: a JSON file in the form of RFC 7643 §7
    Create(CreateArgs),
    /// List the extensions of a tenant
    List(ListArgs),
    /// Show one, by its URN
    Show(ShowArgs),
    /// Change one, by a file with its URN; while there is data of it, only in ways that suit every stored value
    Update(UpdateArgs),
    /// Remove one that no user or group holds data of
    Delete(DeleteArgs),
}

/// What an extension extends.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "PascalCase")]
enum ResourceType {
    User,
    Group,
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// The schema; - reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What it extends
    #[arg(long, value_name = "TYPE", default_value = "User", ignore_case = true)]
    resource_type: ResourceType,
    #[command(flatten)]
    tenant: TenantArg,
    /// Say what would be registered, and register nothing
    #[arg(long)]
    dry_run: bool,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// The whole schema as it should be; - reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    tenant: TenantArg,
    /// Say what it would be, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Its URN, in whatever case
    urn: String,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Its URN, in whatever case
    urn: String,
    #[command(flatten)]
    tenant: TenantArg,
    /// Say whether it could be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

pub async fn run(global: &Global, command: SchemaCommand) -> anyhow::Result<ExitCode> {
    let context = Context::open(global).await?;
    let outcome = answer(&context, command).await;
    context.store.close().await;
    outcome
}

async fn answer(context: &Context, command: SchemaCommand) -> anyhow::Result<ExitCode> {
    match command {
        SchemaCommand::Create(args) => create(context, args).await?,
        SchemaCommand::List(args) => list(context, args).await?,
        SchemaCommand::Show(args) => {
            let tenant = context.tenant(&args.tenant).await?;
            print(&find(context, &tenant, &args.urn).await?, args.json)?;
        }
        SchemaCommand::Update(args) => update(context, args).await?,
        SchemaCommand::Delete(args) => return delete(context, args).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// A stored schema and what it says.
struct Registered {
    stored: StoredSchema,
    extends: Extends,
    schema: Schema,
}

impl Registered {
    fn read(stored: StoredSchema) -> anyhow::Result<Self> {
        let told =
            |problems: Vec<Problem>| anyhow::anyhow!("the stored schema {} can't be read\n{}", stored.urn, lines(&problems));
        let schema = extension::read(stored.document.as_bytes()).map_err(told)?;
        let extends = Extends::parse(&stored.resource_type);
        let extends = extends.with_context(|| format!("the stored schema {} extends an unknown resource type", stored.urn))?;
        Ok(Self { stored, extends, schema })
    }

    fn as_json(&self) -> Value {
        json!({
            "id": self.schema.id,
            "name": self.schema.name,
            "resource_type": self.extends.as_str(),
            "schema": extension::document(&self.schema),
            "created_at": rfc3339(self.stored.created_at),
            "updated_at": rfc3339(self.stored.updated_at),
        })
    }
}

async fn all(context: &Context, tenant: &Tenant) -> anyhow::Result<Vec<Registered>> {
    schema_extensions::list(&context.store, &tenant.id).await?.into_iter().map(Registered::read).collect()
}

async fn find(context: &Context, tenant: &Tenant, urn: &str) -> anyhow::Result<Registered> {
    let mut all = all(context, tenant).await?;
    if let Some(at) = all.iter().position(|registered| registered.schema.id.eq_ignore_ascii_case(urn)) {
        return Ok(all.swap_remove(at));
    }
    let near = did_you_mean(urn, all.iter().map(|registered| registered.schema.id.as_str()));
    bail!("no schema {urn} is registered in tenant {}{near}", tenant.name)
}

/// One line for each problem.
fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n")
}

/// The schema in a file or on standard input, of which no more is read than a schema may have and one byte.
fn read(file: &Path) -> anyhow::Result<Schema> {
    let most = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(most).read_to_end(&mut text))
    };
    read.with_context(|| format!("{} can't be read", shown(file)))?;
    if text.len() > BYTES_MAX {
        return Err(refused(file, &[Problem { field: String::new(), reason: format!("it has more than {BYTES_MAX} bytes") }]));
    }
    extension::read(&text).map_err(|problems| refused(file, &problems))
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") { String::from("standard input") } else { file.display().to_string() }
}

fn refused(file: &Path, problems: &[Problem]) -> anyhow::Error {
    anyhow::anyhow!("the schema in {} can't be registered\n{}", shown(file), lines(problems))
}

/// Checks a schema beside the others of its tenant.
fn admit(file: &Path, others: Vec<Registered>, extends: Extends, schema: &Schema) -> anyhow::Result<()> {
    let others = others.into_iter().map(|other| Extension { extends: other.extends, schema: other.schema });
    let new = Extension { extends, schema: schema.clone() };
    Registry::extended(others.chain([new]).collect()).map_err(|problems| refused(file, &problems))?;
    Ok(())
}

async fn create(context: &Context, args: CreateArgs) -> anyhow::Result<()> {
    let schema = read(&args.file)?;
    let extends = match args.resource_type {
        ResourceType::User => Extends::User,
        ResourceType::Group => Extends::Group,
    };
    let tenant = context.tenant(&args.tenant).await?;
    admit(&args.file, all(context, &tenant).await?, extends, &schema)?;
    let audit = context.audit();
    let stored = StoredSchema {
        urn: schema.id.clone(),
        resource_type: extends.as_str().to_owned(),
        document: extension::document(&schema).to_string(),
        created_at: audit.at,
        updated_at: audit.at,
    };
    if !args.dry_run {
        let mut batch = Batch::default();
        schema_extensions::create(&mut batch, &tenant.id, tenant.version, &stored, &audit);
        context.apply(batch, || format!("there is a schema {} already", stored.urn)).await?;
    } else if !args.json {
        output::line("It would be registered like this; nothing was stored.")?;
    }
    print(&Registered { stored, extends, schema }, args.json)
}

async fn update(context: &Context, args: UpdateArgs) -> anyhow::Result<()> {
    let schema = read(&args.file)?;
    let tenant = context.tenant(&args.tenant).await?;
    let mut others = all(context, &tenant).await?;
    let Some(at) = others.iter().position(|other| other.schema.id.eq_ignore_ascii_case(&schema.id)) else {
        let near = did_you_mean(&schema.id, others.iter().map(|other| other.schema.id.as_str()));
        bail!("no schema {} is registered in tenant {}{near}", schema.id, tenant.name);
    };
    let old = others.remove(at);
    admit(&args.file, others, old.extends, &schema)?;
    let breaks = extension::breaks(&old.schema, &schema);
    if !breaks.is_empty()
        && let Some(holder) = holder(context, &tenant, old.extends, &old.schema).await?
    {
        bail!("schema {} is in use ({holder}), and this would not suit what is stored\n{}", old.schema.id, lines(&breaks));
    }
    let audit = context.audit();
    let document = extension::document(&schema).to_string();
    let stored = StoredSchema { urn: schema.id.clone(), document, updated_at: audit.at, ..old.stored };
    if !args.dry_run {
        let mut batch = Batch::default();
        schema_extensions::update(&mut batch, &tenant.id, tenant.version, &stored, &audit);
        context.apply(batch, || format!("there is a schema {} already", stored.urn)).await?;
    } else if !args.json {
        output::line("It would be changed to this; nothing was stored.")?;
    }
    print(&Registered { stored, extends: old.extends, schema }, args.json)
}

/// Somebody who has data of a schema, in words; `None`: nobody has.
async fn holder(context: &Context, tenant: &Tenant, extends: Extends, schema: &Schema) -> anyhow::Result<Option<String>> {
    let (scanned, whose) = match extends {
        Extends::User => (Scanned::Users, "user"),
        Extends::Group => (Scanned::Groups, "group"),
    };
    let found = schema_extensions::find_holder(&context.store, &tenant.id, scanned, &schema.id).await?;
    let Some(holder) = found else { return Ok(None) };
    let connection = connections::find(&context.store, &tenant.id, &holder.connection).await?;
    let connection = connection.map_or_else(|| holder.connection.to_string(), |stored| stored.connection.name);
    Ok(Some(format!("the {whose} {} of connection {connection} has data of it, and maybe others do", holder.id)))
}

async fn list(context: &Context, args: ListArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let all = all(context, &tenant).await?;
    if args.json {
        output::json(&all.iter().map(Registered::as_json).collect())?;
    } else {
        let row = |registered: &Registered| {
            vec![
                registered.schema.id.clone(),
                registered.schema.name.clone(),
                registered.extends.as_str().to_owned(),
                registered.schema.attributes.len().to_string(),
                rfc3339(registered.stored.created_at),
            ]
        };
        let rows: Vec<_> = all.iter().map(row).collect();
        output::table(&["URN", "NAME", "EXTENDS", "ATTRIBUTES", "CREATED"], &rows)?;
    }
    Ok(())
}

fn print(registered: &Registered, json: bool) -> anyhow::Result<()> {
    if json {
        output::json(&registered.as_json())?;
        return Ok(());
    }
    let schema = &registered.schema;
    output::fields(&[
        ("urn", schema.id.clone()),
        ("name", schema.name.clone()),
        ("description", output::or_dash(Some(schema.description.as_str()).filter(|text| !text.is_empty()))),
        ("extends", registered.extends.as_str().to_owned()),
        ("created", rfc3339(registered.stored.created_at)),
        ("updated", rfc3339(registered.stored.updated_at)),
    ])?;
    output::line("")?;
    let mut rows = Vec::new();
    for attribute in &schema.attributes {
        rows.push(row(attribute, attribute.name.clone()));
        rows.extend(attribute.sub_attributes.iter().map(|sub| row(sub, format!("{}.{}", attribute.name, sub.name))));
    }
    output::table(&["ATTRIBUTE", "TYPE", "WHAT ELSE"], &rows)?;
    Ok(())
}

/// An attribute with those characteristics that are not the default.
fn row(attribute: &Attribute, name: String) -> Vec<String> {
    let printed = extension::document_of(attribute);
    let word = |member: &str| printed[member].as_str().unwrap_or_default().to_owned();
    let mut rest = Vec::new();
    for (is_so, text) in
        [(attribute.multi_valued, "multi-valued"), (attribute.required, "required"), (attribute.case_exact, "case-exact")]
    {
        if is_so {
            rest.push(text.to_owned());
        }
    }
    if word("mutability") != "readWrite" {
        rest.push(word("mutability"));
    }
    if attribute.returned != Returned::Default {
        rest.push(format!("returned {}", word("returned")));
    }
    vec![name, word("type"), rest.join(", ")]
}

async fn delete(context: &Context, args: DeleteArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let Registered { extends, schema, .. } = find(context, &tenant, &args.urn).await?;
    if let Some(holder) = holder(context, &tenant, extends, &schema).await? {
        bail!(
            "schema {} is in use: {holder}; let the provider remove it first (a PATCH that removes the path {})",
            schema.id,
            schema.id
        );
    }
    if args.dry_run {
        output::line(format_args!("schema {} is not in use and could be removed", schema.id))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !output::confirmed(&format!("Delete schema {}", schema.id), args.yes)? {
        return Ok(ExitCode::FAILURE);
    }
    let mut batch = Batch::default();
    schema_extensions::delete(&mut batch, &tenant.id, tenant.version, &schema.id, &context.audit());
    context.apply(batch, || String::from("something still refers to the schema")).await?;
    Ok(ExitCode::SUCCESS)
}
