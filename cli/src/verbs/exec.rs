//! `davit exec`: one more process in a container that runs.

use crate::{
    answer::{flag, number, text},
    connect::{Call, segment},
    context::Context,
    detach_keys::{self, DetachKeys},
    error::{Error, Exit, Result, code_of_command},
    session::{Ended, Session},
    signals, spec,
    terminal::{self, Raw},
};
use davit_api_types::models::{ExecConfig, ExecStartConfig};
use std::path::PathBuf;

/// Execute a command in a running container
#[derive(Debug, clap::Args)]
#[command(override_usage = "davit exec [OPTIONS] CONTAINER COMMAND [ARG...]")]
pub(crate) struct Args {
    /// Detached mode: run command in the background
    #[arg(short = 'd', long)]
    detach: bool,
    /// Override the key sequence for detaching a container
    #[arg(long, value_name = "KEYS", default_value = detach_keys::DEFAULT, hide_default_value = true)]
    detach_keys: String,
    /// Set environment variables
    #[arg(short = 'e', long, value_name = "KEY[=VALUE]")]
    env: Vec<String>,
    /// Read in a file of environment variables
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Keep STDIN open even if not attached
    #[arg(short = 'i', long)]
    interactive: bool,
    /// Give extended privileges to the command
    #[arg(long)]
    privileged: bool,
    /// Allocate a pseudo-TTY
    #[arg(short = 't', long)]
    tty: bool,
    /// Username or UID
    #[arg(short = 'u', long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Working directory inside the container
    #[arg(short = 'w', long, value_name = "PATH")]
    workdir: Option<String>,
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let keys = DetachKeys::parse(&args.detach_keys)?;
    let stdin = args.interactive && !args.detach;
    if stdin && args.tty && !terminal::on_stdin() {
        return Err(Error::Failed("the input device is not a TTY: leave out -t, or run it in a terminal".to_owned()));
    }
    let size = args.tty.then(terminal::size).flatten().map(|(rows, columns)| vec![rows.into(), columns.into()]);
    let config = ExecConfig {
        attach_stdin: Some(stdin),
        attach_stdout: Some(!args.detach),
        attach_stderr: Some(!args.detach),
        console_size: size.clone(),
        tty: Some(args.tty),
        env: Some(spec::environment(&args.env, &args.env_file)?),
        cmd: Some(args.command),
        privileged: Some(args.privileged),
        user: args.user,
        working_dir: args.workdir,
        ..ExecConfig::default()
    };
    let made =
        ctx.client.value(Call::post(format!("/containers/{}/exec", segment(&args.container))).json(&config)).await?;
    let id = segment(text(&made, "/Id"));
    let begin = ExecStartConfig { detach: Some(args.detach), tty: Some(args.tty), console_size: size };
    let call = Call::post(format!("/exec/{id}/start")).json(&begin);
    let not_started = |error: Error| {
        ctx.out.failure(&error);
        Exit(match code_of_command(&error.to_string()) {
            125 => 1,
            code => code,
        })
    };
    if args.detach {
        return Ok(ctx.client.done(call).await.map_or_else(not_started, |_| Exit::OK));
    }
    let hijacked = match ctx.client.hijack(call).await {
        Ok(hijacked) => hijacked,
        Err(error) => return Ok(not_started(error)),
    };

    let raw = if args.tty && stdin { Raw::enter()? } else { None };
    let session = Session { tty: args.tty, stdin, detach_keys: raw.is_some().then_some(keys) };
    let sizing = async {
        if args.tty {
            signals::follow_size(&ctx.client, format!("/exec/{id}/resize")).await;
        }
        std::future::pending::<Result<Ended>>().await
    };
    let ended = tokio::select! {
        ended = session.join(hijacked) => ended?,
        ended = sizing => ended?,
    };
    drop(raw);
    match ended {
        Ended::Detached => Ok(Exit::OK),
        Ended::Output => status(ctx, &id).await,
    }
}

/// The status of the process, once its output has ended.
async fn status(ctx: &Context, id: &str) -> Result<Exit> {
    let found = ctx.client.value(Call::get(format!("/exec/{id}/json"))).await?;
    if flag(&found, "/Running") {
        // It closed its output and lives on: as with Docker, that is no failure.
        return Ok(Exit::OK);
    }
    Ok(Exit(u8::try_from(number(&found, "/ExitCode") & 0xff).unwrap_or(1)))
}
