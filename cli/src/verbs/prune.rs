//! `davit container prune`, `davit image prune`, `davit volume prune`: removes what nothing uses.

use super::filters::filters;
use crate::{
    answer::{items, number, text},
    connect::Call,
    context::Context,
    error::{Exit, Result},
    quantity, question,
};
use serde_json::Value;

/// Remove all stopped containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
}

/// Remove unused images
#[derive(Debug, clap::Args)]
pub(crate) struct ImageArgs {
    /// Remove all unused images, not just dangling ones
    #[arg(short = 'a', long)]
    all: bool,
    #[command(flatten)]
    common: Common,
}

/// Remove unused volumes
#[derive(Debug, clap::Args)]
pub(crate) struct VolumeArgs {
    /// Remove all unused volumes, not just anonymous ones
    #[arg(short = 'a', long)]
    all: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// Provide filter values: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Do not prompt for confirmation
    #[arg(short = 'f', long)]
    force: bool,
}

pub(crate) async fn containers(ctx: &Context, args: Args) -> Result<Exit> {
    if !args.common.wanted("This will remove all stopped containers.")? {
        return Ok(Exit::OK);
    }
    let call = Call::post("/containers/prune").query_some("filters", filters(&args.common.filter)?);
    let done = ctx.client.value(call).await?;
    show(ctx, "Deleted Containers:", items(&done, "/ContainersDeleted").iter().filter_map(Value::as_str), &done)
}

pub(crate) async fn images(ctx: &Context, args: ImageArgs) -> Result<Exit> {
    let what = if args.all { "images without at least one container" } else { "dangling images" };
    if !args.common.wanted(&format!("This will remove all {what}."))? {
        return Ok(Exit::OK);
    }
    let mut wanted = args.common.filter;
    wanted.extend(args.all.then(|| "dangling=false".to_owned()));
    let done = ctx.client.value(Call::post("/images/prune").query_some("filters", filters(&wanted)?)).await?;
    let line = |gone: &Value| match text(gone, "/Untagged") {
        "" => format!("deleted: {}", text(gone, "/Deleted")),
        name => format!("untagged: {name}"),
    };
    let lines: Vec<String> = items(&done, "/ImagesDeleted").iter().map(line).collect();
    show(ctx, "Deleted Images:", lines.iter().map(String::as_str), &done)
}

pub(crate) async fn volumes(ctx: &Context, args: VolumeArgs) -> Result<Exit> {
    let what = if args.all { "all volumes" } else { "anonymous volumes" };
    if !args.common.wanted(&format!("This will remove {what} not used by at least one container."))? {
        return Ok(Exit::OK);
    }
    let mut wanted = args.common.filter;
    wanted.extend(args.all.then(|| "all=true".to_owned()));
    let done = ctx.client.value(Call::post("/volumes/prune").query_some("filters", filters(&wanted)?)).await?;
    show(ctx, "Deleted Volumes:", items(&done, "/VolumesDeleted").iter().filter_map(Value::as_str), &done)
}

fn show<'a>(ctx: &Context, title: &str, gone: impl Iterator<Item = &'a str>, done: &Value) -> Result<Exit> {
    let gone: String = gone.map(|line| format!("{line}\n")).collect();
    if !gone.is_empty() {
        ctx.out.raw(&format!("{title}\n{gone}\n"))?;
    }
    ctx.out.line(&format!("Total reclaimed space: {}", quantity::human(number(done, "/SpaceReclaimed"))))?;
    Ok(Exit::OK)
}

impl Common {
    /// Whether the user means it.
    fn wanted(&self, warning: &str) -> Result<bool> {
        if self.force {
            return Ok(true);
        }
        question::yes(&format!("WARNING! {warning}\nAre you sure you want to continue?"), "--force")
    }
}
