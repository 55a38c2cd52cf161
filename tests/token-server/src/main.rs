//! The program: reads its flags, starts, says where it listens. The library's header explains each flag.

use anyhow::{Context as _, bail};
use clap::Parser;
use davit_token_server::{Config, Grant, Running, User};
use std::{collections::BTreeMap, io::Write as _, net::SocketAddr, time::Duration};
use tokio::io::AsyncReadExt as _;

/// A token server for tests, with a registry front that checks its tokens.
#[derive(Debug, Parser)]
struct Flags {
    /// The open registry behind the front, e.g. http://127.0.0.1:5001
    #[arg(long)]
    upstream: String,
    /// Where the front listens
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where tokens are issued
    #[arg(long, default_value = "127.0.0.1:0")]
    token_listen: SocketAddr,
    /// NAME:PASSWORD[:GRANT;GRANT…], where a grant is PATTERN=ACTION,ACTION
    #[arg(long)]
    user: Vec<String>,
    /// NAME:TOKEN, a refresh token of a user
    #[arg(long)]
    refresh_token: Vec<String>,
    /// NAME:TOKEN, a token that may be exchanged for what a user may do
    #[arg(long)]
    subject_token: Vec<String>,
    /// PATTERN=ACTION,ACTION, for nobody in particular
    #[arg(long)]
    anonymous: Vec<Grant>,
    /// The service's name
    #[arg(long, default_value = "davit-test")]
    service: String,
    /// How many seconds a token is valid
    #[arg(long, default_value_t = 60)]
    expires: u64,
    /// The realm that the front names after --switch-after challenges
    #[arg(long, requires = "switch_after")]
    switch_realm: Option<String>,
    /// How many challenges name the true realm
    #[arg(long, requires = "switch_realm")]
    switch_after: Option<usize>,
    /// Answer blobs by a redirect to a third origin
    #[arg(long)]
    redirect_blobs: bool,
    /// End when standard input is closed
    #[arg(long)]
    until_eof: bool,
}

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let until_eof = flags.until_eof;
    let config = config(flags)?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let running = Running::start(config).await?;
        let ready = serde_json::json!({
            "registry": running.registry.to_string(),
            "realm": running.realm(),
            "exchange": running.exchange(),
            "storage": running.storage.to_string(),
        });
        writeln!(std::io::stdout(), "{ready}")?;
        if until_eof {
            tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
        } else {
            std::future::pending::<()>().await;
        }
        Ok(())
    })
}

fn config(flags: Flags) -> anyhow::Result<Config> {
    let mut users = flags.user.iter().map(|text| user(text)).collect::<anyhow::Result<Vec<_>>>()?;
    for text in &flags.refresh_token {
        let (name, token) = text.split_once(':').with_context(|| format!("{text:?} is not NAME:TOKEN"))?;
        match users.iter_mut().find(|u| u.name == name) {
            Some(user) => user.refresh_tokens.push(token.to_owned()),
            None => bail!("there is no user {name:?} to give a refresh token to"),
        }
    }
    let mut subject_tokens = BTreeMap::new();
    for text in &flags.subject_token {
        let (name, token) = text.split_once(':').with_context(|| format!("{text:?} is not NAME:TOKEN"))?;
        if !users.iter().any(|user| user.name == name) {
            bail!("there is no user {name:?} that a token could be exchanged for");
        }
        subject_tokens.insert(token.to_owned(), name.to_owned());
    }
    Ok(Config {
        listen: flags.listen,
        token_listen: flags.token_listen,
        users,
        subject_tokens,
        anonymous: flags.anonymous,
        service: flags.service,
        valid: Duration::from_secs(flags.expires),
        switch_realm: flags.switch_after.zip(flags.switch_realm),
        redirect_blobs: flags.redirect_blobs,
        ..Config::before(flags.upstream)
    })
}

fn user(text: &str) -> anyhow::Result<User> {
    let mut parts = text.splitn(3, ':');
    let (Some(name), Some(password)) = (parts.next(), parts.next()) else { bail!("{text:?} is not NAME:PASSWORD") };
    let grants = match parts.next() {
        Some(grants) => grants.split(';').map(str::parse).collect::<anyhow::Result<_>>()?,
        None => vec![Grant::all()],
    };
    Ok(User { name: name.to_owned(), password: password.to_owned(), refresh_tokens: Vec::new(), grants })
}
