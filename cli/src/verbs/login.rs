//! `davit login`: a credential, tried by the daemon at the registry, then kept in the user's own file.

use crate::{
    answer::text,
    connect::Call,
    context::Context,
    credentials,
    error::{Error, Exit, Result},
    reference::HUB,
    terminal,
};
use davit_api_types::auth::RegistryAuth;
use std::io::{BufRead, Read};

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
    if args.password_stdin && args.username.is_none() {
        return Err(Error::usage("--password-stdin needs --username"));
    }
    if args.password.is_some() {
        ctx.out.warning("a password on the command line is seen by every process here; use --password-stdin");
    }
    let registry = args.registry.as_deref().unwrap_or(HUB);
    let username = match args.username {
        Some(name) => name,
        None => ask(ctx, "Username: ", false)?,
    };
    let password = match args.password {
        Some(password) => password,
        None if args.password_stdin => from_stdin()?,
        None => ask(ctx, "Password: ", true)?,
    };
    if username.is_empty() || password.is_empty() {
        return Err(Error::usage("a user name and a password are needed"));
    }
    let mut credential =
        RegistryAuth { username, password, serveraddress: registry.to_owned(), ..RegistryAuth::default() };
    let answer = ctx.client.value(Call::post("/auth").json(&credential)).await?;
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

fn from_stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().take(LONGEST).read_to_string(&mut text).map_err(Error::io("read", "the password"))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn ask(ctx: &Context, prompt: &str, hidden: bool) -> Result<String> {
    if !terminal::on_stdin() {
        return Err(Error::usage("there is no terminal to ask at: use --username and --password-stdin"));
    }
    ctx.out.prompt(prompt);
    let quiet = if hidden { Some(terminal::Quiet::enter()?) } else { None };
    let mut text = String::new();
    std::io::stdin().lock().take(LONGEST).read_line(&mut text).map_err(Error::io("read", "the terminal"))?;
    if quiet.is_some() {
        ctx.out.note("");
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
