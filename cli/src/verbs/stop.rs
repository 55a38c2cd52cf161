//! `davit stop`: a signal, then patience, then SIGKILL.

use super::each::each;
use crate::{
    connect::{Call, segment},
    context::Context,
    error::{Exit, Result},
};
use std::time::Duration;

/// Stop one or more running containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    stopping: Stopping,
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// How a container is stopped.
#[derive(Debug, clap::Args)]
pub(super) struct Stopping {
    /// Signal to send to the container
    #[arg(short = 's', long, value_name = "SIGNAL")]
    signal: Option<String>,
    /// Seconds to wait before killing the container; -1 for no limit
    #[arg(short = 't', long, visible_alias = "time", value_name = "SECONDS", allow_hyphen_values = true)]
    timeout: Option<i64>,
}

impl Stopping {
    /// Without a time of ours the container's own holds, which we do not know.
    const UNKNOWN: Duration = Duration::from_secs(24 * 3600);
    /// What the daemon may need beside the time that the container gets.
    const SLACK: Duration = Duration::from_secs(120);

    pub(super) fn call(&self, name: &str, what: &str) -> Call {
        let patience = self.timeout.and_then(|t| u64::try_from(t).ok()).map(Duration::from_secs);
        Call::post(format!("/containers/{}/{what}", segment(name)))
            .query_some("signal", self.signal.as_deref())
            .query_some("t", self.timeout)
            .patience(patience.map_or(Self::UNKNOWN, |p| p.saturating_add(Self::SLACK)))
    }
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    each(ctx, &args.containers, async |name| {
        ctx.client.done(args.stopping.call(name, "stop")).await?;
        Ok(Some(name.to_owned()))
    })
    .await
}
