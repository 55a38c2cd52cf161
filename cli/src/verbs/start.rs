//! `davit start`: containers that exist; with `-a` or `-i` one, joined to our streams.

use super::each::each;
use crate::{
    answer::{flag, text},
    connect::{Call, segment},
    context::Context,
    detach_keys::{self, DetachKeys},
    error::{Error, Exit, Result},
    joined::Joined,
};

/// Start one or more stopped containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Attach STDOUT/STDERR and forward signals
    #[arg(short = 'a', long)]
    attach: bool,
    /// Attach container's STDIN
    #[arg(short = 'i', long)]
    interactive: bool,
    /// Override the key sequence for detaching a container
    #[arg(long, value_name = "KEYS", default_value = detach_keys::DEFAULT, hide_default_value = true)]
    detach_keys: String,
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    if !args.attach && !args.interactive {
        return each(ctx, &args.containers, async |name| {
            start(ctx, name).await?;
            Ok(Some(name.to_owned()))
        })
        .await;
    }
    let [name] = args.containers.as_slice() else {
        return Err(Error::usage("only one container can be started and attached at once"));
    };
    let keys = DetachKeys::parse(&args.detach_keys)?;
    let found = ctx.client.value(Call::get(format!("/containers/{}/json", segment(name)))).await?;
    let id = text(&found, "/Id").to_owned();
    let joined = Joined {
        id: &id,
        tty: flag(&found, "/Config/Tty"),
        stdin: args.interactive && flag(&found, "/Config/OpenStdin"),
        stdout: true,
        stderr: true,
        condition: if flag(&found, "/HostConfig/AutoRemove") { "removed" } else { "next-exit" },
        sig_proxy: true,
        keys,
    };
    joined.run(ctx, async || start(ctx, &id).await).await
}

/// Starts a container; one that runs already stays as it is.
pub(super) async fn start(ctx: &Context, name: &str) -> Result<()> {
    ctx.client.done(Call::post(format!("/containers/{}/start", segment(name)))).await.map(|_| ())
}
