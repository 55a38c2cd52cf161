//! `davit attach`: our streams joined to those of a container that runs.

use crate::{
    answer::{flag, text},
    connect::{Call, segment},
    context::Context,
    detach_keys::{self, DetachKeys},
    error::{Error, Exit, Result},
    joined::Joined,
};

/// Attach local standard input, output, and error streams to a running container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Override the key sequence for detaching a container
    #[arg(long, value_name = "KEYS", default_value = detach_keys::DEFAULT, hide_default_value = true)]
    detach_keys: String,
    /// Do not attach STDIN
    #[arg(long)]
    no_stdin: bool,
    /// Proxy all received signals to the process
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = clap::ArgAction::Set, hide_default_value = true)]
    sig_proxy: bool,
    #[arg(value_name = "CONTAINER")]
    container: String,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let keys = DetachKeys::parse(&args.detach_keys)?;
    let found = ctx.client.value(Call::get(format!("/containers/{}/json", segment(&args.container)))).await?;
    let refuse = |what: &str| Err(Error::Failed(format!("cannot attach to {}: {what}", args.container)));
    if !flag(&found, "/State/Running") {
        return refuse("it is not running; start it with `davit start -a`");
    }
    if flag(&found, "/State/Paused") {
        return refuse("it is paused; unpause it first");
    }
    if flag(&found, "/State/Restarting") {
        return refuse("it is restarting; wait until it runs");
    }
    let tty = flag(&found, "/Config/Tty");
    let joined = Joined {
        id: text(&found, "/Id"),
        tty,
        stdin: !args.no_stdin && flag(&found, "/Config/OpenStdin"),
        stdout: true,
        stderr: true,
        condition: "not-running",
        sig_proxy: args.sig_proxy && !tty,
        keys,
    };
    joined.run(ctx, async || Ok(())).await
}
