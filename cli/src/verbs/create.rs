//! `davit create`: a container that is not started. Its image is pulled where it is not here.

use super::pull;
use crate::{
    answer::{text, texts},
    connect::Call,
    context::Context,
    error::{Error, Exit, Result},
    reference,
    spec::{self, Pull, Spec},
    transfer::Loudness,
};
use davit_api_types::models::ContainerCreateBody;
use std::{fs::OpenOptions, io::Write, path::Path};

/// Create a new container
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true, override_usage = "davit create [OPTIONS] IMAGE [COMMAND] [ARG...]")]
pub(crate) struct Args {
    #[command(flatten)]
    spec: Spec,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let body = spec::body(&args.spec, false)?;
    let id = create(ctx, &args.spec, &body).await?;
    ctx.out.line(&id)?;
    Ok(Exit::OK)
}

/// Creates the container; its identifier. Pulls as `--pull` says.
pub(super) async fn create(ctx: &Context, spec: &Spec, body: &ContainerCreateBody) -> Result<String> {
    reference::check(spec.image())?;
    if let Some(path) = &spec.cidfile
        && path.exists()
    {
        return Err(Error::usage(format!("{} exists: remove it, or choose another --cidfile", path.display())));
    }
    if spec.pull == Pull::Always {
        fetch(ctx, spec).await?;
    }
    let answer = match ctx.client.value(call(spec, body)).await {
        Err(error) if is_missing_image(&error) && spec.pull == Pull::Missing => {
            if !spec.quiet {
                let image = reference::with_tag(spec.image());
                ctx.out.note(&format!("Unable to find image '{image}' locally"));
            }
            fetch(ctx, spec).await?;
            ctx.client.value(call(spec, body)).await?
        }
        answer => answer?,
    };
    for warning in texts(&answer, "/Warnings") {
        ctx.out.warning(warning);
    }
    let id = text(&answer, "/Id").to_owned();
    if let Some(path) = &spec.cidfile {
        write_new(path, &id)?;
    }
    Ok(id)
}

fn call(spec: &Spec, body: &ContainerCreateBody) -> Call {
    Call::post("/containers/create")
        .query_some("name", spec.name.as_deref())
        .query_some("platform", spec.platform.as_deref())
        .json(body)
}

fn is_missing_image(error: &Error) -> bool {
    let told = error.to_string().to_ascii_lowercase();
    // One that is here for another platform than the one asked for is missing too.
    error.status() == Some(404) && ["no such image", "the specified platform"].iter().any(|t| told.contains(t))
}

async fn fetch(ctx: &Context, spec: &Spec) -> Result<()> {
    let loudness = if spec.quiet { Loudness::Quiet } else { Loudness::Aside };
    pull::pull(ctx, &reference::with_tag(spec.image()), spec.platform.as_deref(), loudness).await
}

fn write_new(path: &Path, id: &str) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(id.as_bytes()))
        .map_err(Error::io("write", path.display().to_string()))
}
