//! `davit system dial-stdio`: the far end of `-H ssh://`: standard input and output, joined to the daemon's socket.

use crate::{
    context::Context,
    error::{Error, Exit, Result},
};
use tokio::io::AsyncWriteExt;

/// Proxy the stdio stream to the daemon connection
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(crate) struct Args {}

pub(crate) async fn run(ctx: &Context, _args: Args) -> Result<Exit> {
    let (mut from, mut to) = tokio::io::split(ctx.client.stream().await?);
    let (mut stdin, mut stdout) = (tokio::io::stdin(), tokio::io::stdout());
    let sending = async {
        // The client's end is the daemon's to see; its answers go on.
        let _ = tokio::io::copy(&mut stdin, &mut to).await;
        let _ = to.shutdown().await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        copied = tokio::io::copy(&mut from, &mut stdout) => copied.map_err(Error::output)?,
        () = sending => 0,
    };
    stdout.flush().await.map_err(Error::output)?;
    Ok(Exit::OK)
}
