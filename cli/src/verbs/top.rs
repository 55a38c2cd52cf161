//! `davit top`: the processes of a container.

use crate::{
    answer::{items, texts},
    connect::{Call, segment},
    context::Context,
    error::{Exit, Result},
    listing::table,
};

/// Display the running processes of a container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// Options of ps
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PS OPTIONS")]
    options: Vec<String>,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let options = (!args.options.is_empty()).then(|| args.options.join(" "));
    let call = Call::get(format!("/containers/{}/top", segment(&args.container))).query_some("ps_args", options);
    let found = ctx.client.value(call).await?;
    let owned = |line: Vec<&str>| line.into_iter().map(str::to_owned).collect();
    let mut lines = vec![owned(texts(&found, "/Titles"))];
    lines.extend(items(&found, "/Processes").iter().map(|process| owned(texts(process, ""))));
    ctx.out.raw(&table(lines))?;
    Ok(Exit::OK)
}
