//! `davit plugin`: the plugins that stand behind the site's policy; and an author's tools.

mod bring;
mod enable;
mod grant;
mod inspect;
mod install;
mod logs;
mod ls;
mod push;
mod rights;
mod rm;
mod stats;
mod upgrade;

use crate::{
    context::Context,
    daemon,
    error::{Exit, Result},
};
use std::ffi::OsString;

/// Manage the site's plugins, and try out one's own
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Plugin {
    Install(install::Args),
    #[command(visible_alias = "list")]
    Ls(ls::Args),
    Inspect(inspect::Args),
    Enable(enable::Names),
    Disable(enable::Off),
    Upgrade(upgrade::Args),
    Rollback(upgrade::Back),
    Grant(grant::Args),
    Revoke(grant::Revoke),
    #[command(visible_alias = "remove")]
    Rm(rm::Args),
    Pull(bring::Pull),
    Push(push::Args),
    Logs(logs::Args),
    Stats(stats::Args),
    /// Make the folder of a new plugin
    #[command(disable_help_flag = true)]
    New(ToolArgs),
    /// Make a plugin of a folder, with the language's own tools
    #[command(disable_help_flag = true)]
    Build(ToolArgs),
    /// Say what is in a component, and what an operator would be asked
    #[command(disable_help_flag = true)]
    Check(ToolArgs),
    /// Run the conformance suite of a component's kinds
    #[command(disable_help_flag = true)]
    Test(ToolArgs),
    /// Make one call of a component, with its log and timing
    #[command(disable_help_flag = true)]
    Run(ToolArgs),
    /// Measure what a component costs
    #[command(disable_help_flag = true)]
    Bench(ToolArgs),
    /// Put a manifest into a component
    #[command(disable_help_flag = true)]
    Embed(ToolArgs),
}

/// Words of the daemon's program, which holds the plugin host; it needs no root and no daemon for this
#[derive(Debug, clap::Args)]
pub(crate) struct ToolArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FILE [OPTION]")]
    words: Vec<OsString>,
}

pub(crate) async fn run(ctx: &Context, which: Plugin) -> Result<Exit> {
    match which {
        Plugin::Install(args) => install::run(ctx, args).await,
        Plugin::Ls(args) => ls::run(ctx, &args).await,
        Plugin::Inspect(args) => inspect::run(ctx, &args).await,
        Plugin::Enable(args) => enable::enable(ctx, &args).await,
        Plugin::Disable(args) => enable::disable(ctx, &args).await,
        Plugin::Upgrade(args) => upgrade::run(ctx, args).await,
        Plugin::Rollback(args) => upgrade::back(ctx, &args).await,
        Plugin::Grant(args) => grant::run(ctx, args).await,
        Plugin::Revoke(args) => grant::revoke(ctx, args).await,
        Plugin::Rm(args) => rm::run(ctx, &args).await,
        Plugin::Pull(args) => bring::run(ctx, &args).await,
        Plugin::Push(args) => push::run(ctx, &args).await,
        Plugin::Logs(args) => logs::run(ctx, &args).await,
        Plugin::Stats(args) => stats::run(ctx, &args).await,
        Plugin::New(args) => tool("new", args),
        Plugin::Build(args) => tool("build", args),
        Plugin::Check(args) => tool("check", args),
        Plugin::Test(args) => tool("test", args),
        Plugin::Run(args) => tool("run", args),
        Plugin::Bench(args) => tool("bench", args),
        Plugin::Embed(args) => tool("embed", args),
    }
}

fn tool(verb: &str, args: ToolArgs) -> Result<Exit> {
    daemon::exec(["plugin-tool", verb].map(OsString::from).into_iter().chain(args.words).collect())
}

/// A path of `/davit/v1/plugins`.
fn path(name: &str, verb: &str) -> String {
    let name = crate::connect::segment(name);
    if verb.is_empty() { format!("/davit/v1/plugins/{name}") } else { format!("/davit/v1/plugins/{name}/{verb}") }
}
