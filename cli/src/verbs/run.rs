//! `davit run`: create, attach, wait for the end, start, join the streams, end as the container ended.

use super::{create::create, start};
use crate::{
    context::Context,
    detach_keys::{self, DetachKeys},
    error::{Error, Exit, Result},
    joined::Joined,
    spec::{self, Spec},
    terminal,
};
use davit_api_types::models::ContainerCreateBody;

/// Create and run a new container from an image
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true, override_usage = "davit run [OPTIONS] IMAGE [COMMAND] [ARG...]")]
pub(crate) struct Args {
    /// Run container in background and print container ID
    #[arg(short = 'd', long)]
    detach: bool,
    /// Override the key sequence for detaching a container
    #[arg(long, value_name = "KEYS", default_value = detach_keys::DEFAULT, hide_default_value = true)]
    detach_keys: String,
    /// Proxy received signals to the process
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = clap::ArgAction::Set, hide_default_value = true)]
    sig_proxy: bool,
    #[command(flatten)]
    spec: Spec,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let body = spec::body(&args.spec, args.detach);
    if let Ok(body) = &body {
        check(&args, body)?;
    }
    match create_and_start(ctx, &args, body).await {
        Err(error @ Error::OutputClosed) => Err(error),
        Err(error) => {
            ctx.out.failure(&error);
            Ok(Exit(error.code_of_run()))
        }
        done => done,
    }
}

/// What Docker's client looks at before all else: the two refusals that end with 1, where every other ends with 125.
fn check(args: &Args, body: &ContainerCreateBody) -> Result<()> {
    if args.detach && !args.spec.attach.is_empty() {
        return Err(Error::usage("--attach and --detach exclude each other"));
    }
    if args.spec.tty && body.attach_stdin == Some(true) && !terminal::on_stdin() {
        return Err(Error::usage("the input device is not a TTY: leave out -t, or run it in a terminal"));
    }
    Ok(())
}

async fn create_and_start(ctx: &Context, args: &Args, body: Result<ContainerCreateBody>) -> Result<Exit> {
    let spec = &args.spec;
    let body = body?;
    let keys = DetachKeys::parse(&args.detach_keys)?;
    let id = create(ctx, spec, &body).await?;
    if args.detach {
        start::start(ctx, &id).await.map_err(|e| Error::NotStarted(Box::new(e)))?;
        return ctx.out.line(&id).map(|()| Exit::OK);
    }
    let joined = Joined {
        id: &id,
        tty: spec.tty,
        stdin: body.attach_stdin == Some(true),
        stdout: body.attach_stdout == Some(true),
        stderr: body.attach_stderr == Some(true),
        condition: if spec.rm { "removed" } else { "next-exit" },
        sig_proxy: args.sig_proxy,
        keys,
    };
    joined.run(ctx, async || start::start(ctx, &id).await).await
}
