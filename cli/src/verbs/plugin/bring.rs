//! Components on their way to the daemon: a file of the user's, or an artifact of a registry (`davit plugin pull`).

use crate::{
    answer::{number, text, texts},
    connect::{Call, segment},
    context::Context,
    credentials,
    error::{Error, Exit, Result},
    plain, quantity, reference,
    transfer::{Loudness, Transfer},
};
use davit_api_types::{auth, v1::LARGEST_COMPONENT};
use serde_json::Value;
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// Download a plugin from a registry, without installing it
#[derive(Debug, clap::Args)]
pub(crate) struct Pull {
    /// Write the component to a file
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<std::path::PathBuf>,
    /// Suppress verbose output
    #[arg(short = 'q', long)]
    quiet: bool,
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    reference: String,
}

pub(super) async fn run(ctx: &Context, args: &Pull) -> Result<Exit> {
    let component = pulled(ctx, &args.reference, if args.quiet { Loudness::Quiet } else { Loudness::Result }).await?;
    let digest = text(&component, "/Digest");
    if let Some(file) = &args.output {
        let bytes = ctx.client.bytes(Call::get(format!("/davit/v1/components/{digest}/content")).unversioned()).await?;
        std::fs::write(file, bytes).map_err(Error::io("write", file.display().to_string()))?;
    }
    ctx.out.line(digest)?;
    Ok(Exit::OK)
}

/// Has the daemon take a component: the file of that name where there is one, else what the reference stands for.
pub(super) async fn component(ctx: &Context, what: &str) -> Result<Value> {
    let path = Path::new(what);
    // A reference never begins so, nor ends so: a file that is missing is told as one.
    let says_file = what.starts_with(['/', '.']) || what.ends_with(".wasm");
    if !says_file && !path.is_file() {
        return pulled(ctx, what, Loudness::Aside).await;
    }
    let bytes = read(path).map_err(Error::io("read", what))?;
    let source = std::fs::canonicalize(path).map_or_else(|_| what.to_owned(), |p| p.display().to_string());
    let call = Call::post("/davit/v1/components").unversioned().query("source", source);
    ctx.client.value(call.header("content-type", "application/wasm".to_owned()).bytes(bytes)).await
}

/// The bytes of a component's file; a device or a pipe is none, and nobody takes a larger one.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let refused = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
    let large = || refused(format!("a component has {LARGEST_COMPONENT} bytes at most"));
    // Asked before it is opened: to open a pipe is to wait for who writes to it.
    let is = std::fs::metadata(path)?;
    if !is.is_file() {
        return Err(refused("it is no regular file".to_owned()));
    }
    if is.len() > LARGEST_COMPONENT {
        return Err(large());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_COMPONENT + 1).read_to_end(&mut bytes)?;
    // It may have grown meanwhile.
    if bytes.len() as u64 > LARGEST_COMPONENT { Err(large()) } else { Ok(bytes) }
}

async fn pulled(ctx: &Context, name: &str, loudness: Loudness) -> Result<Value> {
    let name = reference::with_tag(name);
    let credential = credentials::find(&ctx.home, reference::registry(&name))?;
    let call = Call::post("/davit/v1/components/pull")
        .unversioned()
        .query("reference", &name)
        .header(auth::HEADER, credential.encode());
    let mut transfer = Transfer::new(ctx.out, loudness);
    ctx.client.lines(call, |line| transfer.take(line)).await?;
    ctx.client.value(Call::get(format!("/davit/v1/components/{}", segment(&name))).unversioned()).await
}

/// One line about a component: `vault 1.2.0 (registry-auth), 61 kB, sha256:…`.
pub(super) fn shown(component: &Value) -> String {
    let [name, version, digest] = ["/Name", "/Version", "/Digest"].map(|field| plain::line(text(component, field)));
    let kinds = plain::line(&texts(component, "/Kinds").join(", "));
    format!("{name} {version} ({kinds}), {}, {digest}", quantity::human(number(component, "/Size")))
}
