//! `davit login`: a credential, tried by the daemon at the registry, then kept in the user's own file.

use crate::{
    answer::text,
    connect::Call,
    context::Context,
    credentials,
    error::{Error, Exit, Result},
    reference::HUB,
    signals, terminal,
};
use davit_api_types::auth::RegistryAuth;
use std::io::{self, BufRead, Read};

/// Authenticate to a registry
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Password or personal access token; better taken from standard input
    #[arg(short = 'p', long, value_name = "PASSWORD", conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Take the password from stdin
    #[arg(long)]
    password_stdin: bool,
    /// Username
    #[arg(short = 'u', long, value_name = "NAME")]
    username: Option<String>,
    #[arg(value_name = "REGISTRY")]
    registry: Option<String>,
}

/// Most bytes of a password.
const LONGEST: u64 = 64 << 10;

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let ended = signals::ended()?;
    // Whatever ends first: a signal drops the question, and with it the terminal is as it was.
    tokio::select! {
        done = login(ctx, args) => done,
        () = ended => {
            ctx.out.note("");
            Err(Error::Interrupted)
        }
    }
}

async fn login(ctx: &Context, args: Args) -> Result<Exit> {
    if args.password_stdin && args.username.is_none() {
        return Err(Error::usage("--password-stdin needs --username"));
    }
    if args.password.is_some() {
        ctx.out.warning("a password on the command line is seen by every process here; use --password-stdin");
    }
    let registry = args.registry.as_deref().unwrap_or(HUB);
    let username = match args.username {
        Some(name) => name,
        None => ask(ctx, "Username: ", false).await?,
    };
    let password = match args.password {
        Some(password) => password,
        None if args.password_stdin => from_stdin().await?,
        None => ask(ctx, "Password: ", true).await?,
    };
    if username.is_empty() || password.is_empty() {
        return Err(Error::usage("a user name and a password are needed"));
    }
    let mut credential =
        RegistryAuth { username, password, serveraddress: registry.to_owned(), ..RegistryAuth::default() };
    let answer = match ctx.client.value(Call::post("/auth").json(&credential)).await {
        Err(Error::Refused { status: 401, message }) => return Err(Error::Denied(message)),
        answer => answer?,
    };
    match text(&answer, "/IdentityToken") {
        "" => {}
        token => {
            credential.identitytoken = token.to_owned();
            credential.password = String::new();
        }
    }
    let file = credentials::store(&ctx.home, &credential)?;
    ctx.out.note(&format!("The credential is kept in {}, readable by you alone.", file.display()));
    ctx.out.line("Login Succeeded")?;
    Ok(Exit::OK)
}

async fn from_stdin() -> Result<String> {
    read("the password", |text| io::stdin().lock().take(LONGEST).read_to_string(text)).await
}

/// Reads on a thread of its own, so that signals are taken meanwhile; the thread ends with the process.
async fn read(
    what: &'static str,
    read: impl FnOnce(&mut String) -> io::Result<usize> + Send + 'static,
) -> Result<String> {
    let reading = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        read(&mut text).map(|_| text)
    });
    let text = reading.await.map_err(io::Error::other).and_then(|text| text).map_err(Error::io("read", what))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

async fn ask(ctx: &Context, prompt: &str, hidden: bool) -> Result<String> {
    if !terminal::on_stdin() {
        return Err(Error::usage("there is no terminal to ask at: use --username and --password-stdin"));
    }
    ctx.out.prompt(prompt);
    let quiet = if hidden { Some(terminal::Quiet::enter()?) } else { None };
    let text = read("the terminal", |text| io::stdin().lock().take(LONGEST).read_line(text)).await?;
    if quiet.is_some() {
        ctx.out.note("");
    }
    Ok(text)
}
