//! `davit plugin inspect`.

use super::path;
use crate::{
    connect::Call,
    context::Context,
    error::{Exit, Result},
    template::Template,
};
use serde_json::Value;

/// Return all that is known about plugins
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format output: json, or a Go template
    #[arg(short = 'f', long, value_name = "FORMAT")]
    format: Option<String>,
    #[arg(required = true, value_name = "PLUGIN")]
    names: Vec<String>,
}

pub(super) async fn run(ctx: &Context, args: &Args) -> Result<Exit> {
    let template = match args.format.as_deref() {
        None | Some("json") => None,
        Some(format) => Some(Template::of_object(format)?),
    };
    let mut found = Vec::new();
    for name in &args.names {
        found.push(ctx.client.value(Call::get(path(name, "")).unversioned()).await?);
    }
    match template {
        Some(template) => {
            for value in &found {
                ctx.out.line(&template.render(value)?)?;
            }
        }
        None => ctx.out.line(&serde_json::to_string_pretty(&Value::Array(found)).unwrap_or_default())?,
    }
    Ok(Exit::OK)
}
