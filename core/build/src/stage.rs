//! One stage at work: what it has come to, and one instruction more.

mod settings;

use crate::{
    config::Config,
    copy::{self, Request},
    dockerfile::{Copy, Instruction, Step, error::SyntaxError, expand::expand},
    error::Why,
    images::{Base, Images, Layer},
    layer::{Archive, Writer},
    owner,
    plan::{Origin, Plan},
    platform,
    tree::{Links, Spool, Tree},
};
use std::{collections::BTreeMap, io, sync::Arc};
use tokio::sync::OnceCell;

/// What a stage has come to.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) config: Config,
    pub(crate) layers: Vec<Layer>,
    /// What it begins with, for messages.
    base: String,
    /// Read when it is wanted first: metadata alone needs no layer.
    tree: OnceCell<Arc<Tree>>,
    /// Values of `ARG`.
    args: BTreeMap<String, String>,
    /// Whether this stage said `CMD` itself.
    own_cmd: bool,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// No layer.
    Settings,
    /// A layer; `known` where the very same one was there already.
    Layer { known: bool },
}

/// What steps of all stages have in common.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) images: Arc<dyn Images>,
    pub(crate) plan: Plan,
    pub(crate) context: Arc<Tree>,
    /// The client's values for `ARG`.
    pub(crate) args: BTreeMap<String, String>,
    pub(crate) epoch: Option<u64>,
    /// When the build began, or the epoch.
    pub(crate) created: String,
    pub(crate) pull: bool,
}

impl Stage {
    /// Of nothing.
    pub(crate) fn scratch() -> Self {
        let config = Config::scratch(platform::architecture());
        Self::new(config, Vec::new(), "scratch".to_owned(), OnceCell::new_with(Some(Arc::default())))
    }

    /// Of an image.
    pub(crate) fn image(base: Base, name: String) -> Result<Self, Why> {
        let config = Config::based(&base.config, base.layers.len())?;
        Ok(Self::new(config, base.layers, name, OnceCell::new()))
    }

    /// Of another stage: its variables and its own commands are not inherited.
    pub(crate) fn of(other: &Self) -> Self {
        Self::new(other.config.clone(), other.layers.clone(), other.base.clone(), other.tree.clone())
    }

    fn new(config: Config, layers: Vec<Layer>, base: String, tree: OnceCell<Arc<Tree>>) -> Self {
        Self { config, layers, base, tree, args: BTreeMap::new(), own_cmd: false }
    }

    /// Its files, as all its layers have them.
    async fn tree(&self, images: &Arc<dyn Images>) -> Result<Arc<Tree>, Why> {
        let read = || async {
            let (images, layers) = (images.clone(), self.layers.clone());
            let laid = blocking(move || {
                let mut tree = Tree::default();
                for layer in layers {
                    let (opener, keeper) = (images.clone(), images.clone());
                    tree.lay(&Spool::elsewhere(move || opener.open_layer(&layer), move || keeper.scratch()))?;
                }
                Ok(Arc::new(tree))
            });
            laid.await?.map_err(|source| Why::Beneath { image: self.base.clone(), source })
        };
        self.tree.get_or_try_init(read).await.cloned()
    }

    /// What a variable is: the image's environment wins over arguments.
    fn variable(&self, name: &str) -> Option<String> {
        let of_env = self.config.env().into_iter().find(|(n, _)| n == name).map(|(_, v)| v);
        of_env.or_else(|| self.args.get(name).cloned())
    }

    fn expand(&self, shop: &Shop, word: &str) -> Result<String, Why> {
        Ok(expand(word, shop.plan.escape, &|name| self.variable(name))?)
    }

    /// Does one step. `number` is the stage's, `built` are those before it.
    pub(crate) async fn step(
        &mut self,
        shop: &Shop,
        number: usize,
        built: &BTreeMap<usize, Stage>,
        step: &Step,
    ) -> Result<Done, Why> {
        let archive = match &step.instruction {
            Instruction::Copy(copy) => Some(self.copy(shop, number, built, copy).await?),
            Instruction::Workdir(folder) => self.workdir(shop, folder).await?,
            other => {
                self.settings(shop, other)?;
                None
            }
        };
        let done = match archive {
            Some((tree, Some(archive))) => {
                let known = self.put(shop, archive).await?;
                self.tree = OnceCell::new_with(Some(tree));
                Done::Layer { known }
            }
            _ => Done::Settings,
        };
        self.config.step(&shop.created, &step.text, done != Done::Settings);
        Ok(done)
    }

    async fn put(&mut self, shop: &Shop, archive: Archive) -> Result<bool, Why> {
        let put = shop.images.put_layer(archive.file, &archive.diff_id, archive.size).await;
        let put = put.map_err(|source| Why::Port { op: "keep the layer", source })?;
        self.layers.push(Layer { diff_id: archive.diff_id, descriptor: put.descriptor });
        Ok(put.known)
    }

    /// Copies into a new layer.
    async fn copy(
        &self,
        shop: &Shop,
        number: usize,
        built: &BTreeMap<usize, Stage>,
        copy: &Copy,
    ) -> Result<(Arc<Tree>, Option<Archive>), Why> {
        let instruction = if copy.add { "ADD" } else { "COPY" };
        let origin = shop.plan.source(number, copy)?;
        let links = if origin.is_some() { Links::Rooted } else { Links::Confined };
        let from = match origin {
            None => shop.context.clone(),
            Some(Origin::Scratch) => Arc::default(),
            Some(Origin::Stage(n)) => match built.get(&n) {
                Some(stage) => stage.tree(&shop.images).await?,
                None => return Err(Why::Stage(n.to_string())),
            },
            Some(Origin::Image(reference)) => {
                let base = shop.images.base(&reference, shop.pull).await;
                let base = base.map_err(|source| Why::Port { op: "get the image to copy from", source })?;
                Stage::image(base, reference.familiar())?.tree(&shop.images).await?
            }
        };
        let mut sources = Vec::with_capacity(copy.sources.len());
        for source in &copy.sources {
            let source = self.expand(shop, source)?;
            if copy.add && is_remote(&source) {
                let why = "fetch it beforehand and COPY it";
                return Err(SyntaxError::NotYet { what: "ADD of a URL or a repository", why }.into());
            }
            sources.push(source);
        }
        let dest = self.absolute(&self.expand(shop, &copy.dest)?);
        let mode = copy
            .chmod
            .as_ref()
            .map(|m| self.expand(shop, m))
            .transpose()?
            .map(|m| octal(instruction, &m))
            .transpose()?;
        let chown = copy.chown.as_ref().map(|o| self.expand(shop, o)).transpose()?;
        let (tree, images, epoch, unpack) = (self.tree(&shop.images).await?, shop.images.clone(), shop.epoch, copy.add);
        blocking(move || {
            let owner = chown.map(|chown| owner::resolve(&tree, &chown)).transpose()?;
            let request = Request { sources, dest, links, owner, mode, unpack };
            let file = images.scratch().map_err(|source| Why::Io { op: "make a file for the layer", source })?;
            let mut writer = Writer::new(file, Arc::unwrap_or_clone(tree), epoch);
            copy::copy(&from, &mut writer, &request, &|| images.scratch())
                .map_err(|source| Why::Copy { instruction, source })?;
            finish(writer)
        })
        .await?
    }

    /// Sets the working folder, and makes it in a layer where it is not there.
    async fn workdir(&mut self, shop: &Shop, folder: &str) -> Result<Option<(Arc<Tree>, Option<Archive>)>, Why> {
        let folder = self.expand(shop, folder)?;
        if folder.is_empty() {
            return Err(SyntaxError::Missing { instruction: "WORKDIR", what: "a folder: the variable is empty" }.into());
        }
        let folder = format!("/{}", clean(&self.absolute(&folder)).join("/"));
        self.config.set("WorkingDir", folder.as_str().into());
        let (tree, images, epoch) = (self.tree(&shop.images).await?, shop.images.clone(), shop.epoch);
        let path = tree.resolve(folder.as_bytes(), Links::Rooted, true)?;
        if tree.is_folder(&path) {
            return Ok(None);
        }
        let made = blocking(move || {
            let file = images.scratch().map_err(|source| Why::Io { op: "make a file for the layer", source })?;
            let mut writer = Writer::new(file, Arc::unwrap_or_clone(tree), epoch);
            writer.folder(&path, (0, 0))?;
            finish(writer)
        });
        Ok(Some(made.await??))
    }

    /// From the working folder, with a slash at the end where the name says that it is a folder.
    fn absolute(&self, name: &str) -> String {
        let absolute = match name.starts_with('/') {
            true => name.to_owned(),
            false => format!("{}/{name}", self.config.text("WorkingDir")),
        };
        let folder = matches!(absolute.rsplit('/').next(), Some("." | ".."));
        if folder { absolute + "/" } else { absolute }
    }
}

fn finish(writer: Writer) -> Result<(Arc<Tree>, Option<Archive>), Why> {
    let (tree, archive) = writer.finish().map_err(|source| Why::Io { op: "write the layer", source })?;
    Ok((Arc::new(tree), archive))
}

/// The parts of an absolute name, `..` taken away.
fn clean(name: &str) -> Vec<&str> {
    name.split('/').fold(Vec::new(), |mut parts, part| {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
        parts
    })
}

fn is_remote(source: &str) -> bool {
    ["http://", "https://", "git@", "git://", "ssh://"].iter().any(|scheme| source.starts_with(scheme))
}

fn octal(instruction: &'static str, text: &str) -> Result<u32, Why> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|m| *m <= 0o7777);
    let why = "--chmod wants an octal mode, as in 755";
    mode.ok_or_else(|| SyntaxError::Value { instruction, why, value: text.chars().take(40).collect() }.into())
}

/// Runs what blocks where that is allowed.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Why> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Why::Io { op: "finish the step", source: io::Error::other(e) })
}
