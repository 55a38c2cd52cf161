//! `davit build`: a folder and its Dockerfile to the daemon, an image there.

use crate::{
    connect::{Call, Upload},
    context::Context,
    credentials,
    error::{Error, Exit, Result},
    reference,
};
use davit_api_types::{auth, progress::Progress};
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Sending the context may take its time.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Build an image from a Dockerfile
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name for the image; may be given several times
    #[arg(short = 't', long = "tag", value_name = "NAME[:TAG]")]
    tags: Vec<String>,
    /// The Dockerfile [default: DIR/Dockerfile]
    #[arg(short = 'f', long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Value for an ARG; without a value the environment's
    #[arg(long, value_name = "NAME[=VALUE]")]
    build_arg: Vec<String>,
    /// Label of the image
    #[arg(long, value_name = "NAME=VALUE")]
    label: Vec<String>,
    /// Stage to build
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// Fetch base images also where they are there
    #[arg(long)]
    pull: bool,
    /// Print the image's id only
    #[arg(short = 'q', long)]
    quiet: bool,
    /// The build context
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let shown = args.dir.display().to_string();
    let dir = fs::canonicalize(&args.dir).map_err(Error::io("open the build context", shown.clone()))?;
    if !dir.is_dir() {
        return Err(Error::usage(format!("{shown} is no folder: the build context must be one")));
    }
    for tag in &args.tags {
        reference::check(tag).map_err(|e| Error::flag(e.to_string()))?;
    }
    let dockerfile = args.file.as_deref().map(|file| within(&dir, file)).transpose()?;
    let upload = Upload::new(move |out| pack(&dir, out));
    let mut call = Call::post("/build")
        .query_some("dockerfile", dockerfile)
        .query_some("target", args.target.as_deref())
        .query("buildargs", text(&build_args(&args.build_arg)))
        .query("labels", text(&labels(&args.label)))
        .switch("pull", args.pull)
        .switch("q", args.quiet)
        .header(auth::CONFIG_HEADER, auth::encode_config(&credentials::all(&ctx.home)?))
        .header("content-type", "application/x-tar".to_owned())
        .patience(PATIENCE)
        .upload(upload.clone());
    for tag in &args.tags {
        call = call.query("t", reference::with_tag(tag));
    }
    let built = ctx.client.lines(call, |line| say(ctx, line)).await;
    match upload.failure() {
        Some(e) => Err(Error::io("read the build context", shown)(e)),
        None => built.map(|()| Exit::OK),
    }
}

fn say(ctx: &Context, line: &[u8]) -> Result<()> {
    let progress: Progress = serde_json::from_slice(line)
        .map_err(|e| Error::Answer { request: "progress".to_owned(), reason: e.to_string() })?;
    match (progress.failure(), &progress.stream) {
        (Some(message), _) => Err(Error::Failed(message.to_owned())),
        (None, Some(text)) => ctx.out.raw(text),
        (None, None) => Ok(()),
    }
}

/// The Dockerfile's name in the context.
fn within(dir: &Path, file: &Path) -> Result<String> {
    let shown = || file.display().to_string();
    let full = fs::canonicalize(file).map_err(Error::io("open the Dockerfile", shown()))?;
    let name = full.strip_prefix(dir).ok().and_then(Path::to_str);
    let outside = || Error::usage(format!("the Dockerfile {} must lie within the build context", shown()));
    name.map(str::to_owned).ok_or_else(outside)
}

/// Without a value the environment's; null where it has none.
fn build_args(args: &[String]) -> BTreeMap<&str, Option<String>> {
    let value = |arg: &String| match arg.split_once('=') {
        Some((_, value)) => Some(value.to_owned()),
        None => std::env::var(arg).ok(),
    };
    args.iter().map(|arg| (arg.split_once('=').map_or(arg.as_str(), |(name, _)| name), value(arg))).collect()
}

fn labels(labels: &[String]) -> BTreeMap<&str, &str> {
    labels.iter().map(|label| label.split_once('=').unwrap_or((label, ""))).collect()
}

fn text(value: &impl serde::Serialize) -> String {
    // Maps of texts always serialise.
    serde_json::to_string(value).unwrap_or_default()
}

/// Writes the folder as a tar archive: links as links, sockets not at all.
fn pack(dir: &Path, out: &mut dyn Write) -> io::Result<()> {
    let mut tar = tar::Builder::new(out);
    tar.follow_symlinks(false);
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(dir.join(&folder))? {
            let entry = entry?;
            let (name, kind) = (folder.join(entry.file_name()), entry.file_type()?);
            if kind.is_socket() {
                continue;
            }
            let packed = tar.append_path_with_name(entry.path(), &name);
            packed.map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", name.display())))?;
            if kind.is_dir() {
                open.push(name);
            }
        }
    }
    tar.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_packed_with_links_as_links() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/f"), "F").unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("l")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
        let mut bytes = Vec::new();
        pack(dir.path(), &mut bytes).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut names: Vec<String> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                format!("{} {:?}", entry.path().unwrap().display(), entry.header().entry_type())
            })
            .collect();
        names.sort();
        assert_eq!(names, ["a Directory", "a/b Directory", "a/b/f Regular", "l Symlink"]);
    }

    #[test]
    fn the_dockerfile_lies_within_the_context() {
        let dir = tempfile::tempdir().unwrap();
        let dir = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir(dir.join("sub")).unwrap();
        fs::write(dir.join("sub/D"), "").unwrap();
        assert_eq!(within(&dir, &dir.join("sub/../sub/D")).unwrap(), "sub/D");
        let error = within(&dir.join("sub"), Path::new("/etc/passwd")).unwrap_err().to_string();
        assert!(error.contains("must lie within the build context"), "{error}");
    }

    #[test]
    fn an_argument_without_a_value_is_the_environments() {
        let args = ["A=1".to_owned(), "B=".to_owned(), "DAVIT_NOT_THERE".to_owned()];
        assert_eq!(text(&build_args(&args)), r#"{"A":"1","B":"","DAVIT_NOT_THERE":null}"#);
        assert_eq!(text(&labels(&["a=b=c".to_owned(), "d".to_owned()])), r#"{"a":"b=c","d":""}"#);
    }
}
