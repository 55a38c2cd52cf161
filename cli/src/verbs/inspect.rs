//! `davit inspect`: all that the daemon knows about containers and images, as it says it.

use crate::{
    connect::{Call, segment},
    context::Context,
    error::{Error, Exit, Result},
    template::Template,
};
use serde_json::Value;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    Container,
    Image,
}

/// Return low-level information on containers and images
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format output: json, or a Go template
    #[arg(short = 'f', long, value_name = "FORMAT")]
    format: Option<String>,
    /// Display total file sizes if the object is a container
    #[arg(short = 's', long)]
    size: bool,
    /// Only inspect objects of this type
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    kind: Option<Kind>,
    #[arg(required = true, value_name = "NAME|ID")]
    names: Vec<String>,
}

pub(crate) async fn run(ctx: &Context, args: Args, kind: Option<Kind>) -> Result<Exit> {
    let kind = kind.or(args.kind);
    show(ctx, &args.names, args.format.as_deref(), async |name| look_up(ctx, name, kind, args.size).await).await
}

/// Looks every name up and shows what was found; each error is told, and any makes the exit 1.
pub(super) async fn show(
    ctx: &Context,
    names: &[String],
    format: Option<&str>,
    look_up: impl AsyncFn(&str) -> Result<Value>,
) -> Result<Exit> {
    let template = match format {
        None | Some("json") => None,
        Some(format) => Some(Template::of_object(format)?),
    };
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for name in names {
        match look_up(name).await {
            Ok(value) => found.push(value),
            Err(error) => errors.push(error),
        }
    }
    match template {
        Some(template) => {
            for value in &found {
                ctx.out.line(&template.render(value)?)?;
            }
        }
        None if format.is_some() => ctx.out.line(&Value::Array(found).to_string())?,
        None => {
            let all = Value::Array(found);
            ctx.out.line(&serde_json::to_string_pretty(&all).unwrap_or_default().replace("  ", "    "))?;
        }
    }
    for error in &errors {
        ctx.out.failure(error);
    }
    Ok(if errors.is_empty() { Exit::OK } else { Exit(1) })
}

async fn look_up(ctx: &Context, name: &str, kind: Option<Kind>, size: bool) -> Result<Value> {
    let container = Call::get(format!("/containers/{}/json", segment(name))).switch("size", size);
    let image = Call::get(format!("/images/{}/json", segment(name)));
    match kind {
        Some(Kind::Container) => ctx.client.value(container).await,
        Some(Kind::Image) => ctx.client.value(image).await,
        None => match ctx.client.value(container).await {
            Err(error) if error.status() == Some(404) => match ctx.client.value(image).await {
                Err(error) if error.status() == Some(404) => {
                    Err(Error::Refused { status: 404, message: format!("No such object: {name}") })
                }
                answer => answer,
            },
            answer => answer,
        },
    }
}
