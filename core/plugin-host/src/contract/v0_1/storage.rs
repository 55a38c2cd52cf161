//! `davit:storage/host`: facts and layers to read, steps and mounts to record. A name is checked when it is recorded,
//! so that the author sees which line was refused.

use super::{
    bindings::davit::storage::host,
    refusal::{Answer, Refusal},
};
use crate::context::{Context, Sink};
use davit_model::{
    error::PolicyError,
    storage::{Facts, LayerChain, Place, RootMount, StorageStep, WhiteoutStyle},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wasmtime::component::Resource;

const MAX_STEPS: usize = 10_000;
const MAX_LOWER: usize = 256;

/// What is behind `facts`.
#[derive(Debug)]
pub struct HeldFacts(pub(crate) Facts);

/// What is behind `layer`: one of a chain.
#[derive(Clone, Debug)]
pub struct HeldLayer {
    chain: Arc<LayerChain>,
    index: usize,
}

impl HeldLayer {
    /// The last layer of a chain; none for an empty one.
    pub(crate) fn last(chain: LayerChain) -> Option<Self> {
        let index = chain.0.len().checked_sub(1)?;
        Some(Self { chain: Arc::new(chain), index })
    }
}

/// What is behind `steps`.
#[derive(Debug)]
pub struct HeldSteps(pub(crate) Sink<Vec<StorageStep>>);

/// How a layer is written, as far as the guest said it.
#[derive(Debug)]
pub(crate) struct UnpackSaid {
    pub(crate) into: Option<Place>,
    pub(crate) needs_parent_first: bool,
    pub(crate) whiteouts: WhiteoutStyle,
}

impl Default for UnpackSaid {
    fn default() -> Self {
        Self { into: None, needs_parent_first: false, whiteouts: WhiteoutStyle::Apply }
    }
}

/// What is behind `unpack`.
#[derive(Debug)]
pub struct HeldUnpack(pub(crate) Sink<UnpackSaid>);

/// A container's root, as far as the guest said it.
#[derive(Debug, Default)]
pub(crate) struct RootSaid {
    pub(crate) mount: Option<RootMount>,
    pub(crate) changes: Option<(Place, WhiteoutStyle)>,
    /// The settings that it looked at.
    pub(crate) asked: BTreeSet<String>,
}

/// What is behind `root`.
#[derive(Debug)]
pub struct HeldRoot {
    pub(crate) said: Sink<RootSaid>,
    pub(crate) settings: BTreeMap<String, String>,
}

fn place(text: &str) -> Result<Place, PolicyError> {
    text.parse().map_err(|e: davit_model::storage::PlaceError| PolicyError::Invalid(e.to_string()))
}

fn style(word: &str) -> Result<WhiteoutStyle, PolicyError> {
    match word {
        "overlay" => Ok(WhiteoutStyle::Overlay),
        "overlay-user" => Ok(WhiteoutStyle::OverlayUser),
        "apply" => Ok(WhiteoutStyle::Apply),
        _ => {
            Err(PolicyError::Unsupported(format!("whiteout style {word:?}; known are overlay, overlay-user and apply")))
        }
    }
}

fn format_word(word: String) -> Result<String, PolicyError> {
    match word.as_str() {
        "erofs" | "squashfs" => Ok(word),
        _ => Err(PolicyError::Unsupported(format!("image format {word:?}; known are erofs and squashfs"))),
    }
}

impl Context {
    fn record(&mut self, steps: &Resource<HeldSteps>, step: StorageStep) -> Answer<()> {
        let sink = self.table().get(steps)?;
        sink.0.with(|list| {
            if list.len() >= MAX_STEPS {
                return Err(PolicyError::Internal(format!("a plan has at most {MAX_STEPS} steps")));
            }
            list.push(step);
            Ok(())
        })?;
        Ok(())
    }
}

impl host::Host for Context {}

impl host::HostFacts for Context {
    fn has(&mut self, facts: Resource<HeldFacts>, feature: String) -> wasmtime::Result<bool> {
        self.enter()?;
        Ok(self.table().get(&facts)?.0.features.contains(&feature))
    }

    fn free_bytes(&mut self, facts: Resource<HeldFacts>) -> wasmtime::Result<u64> {
        self.enter()?;
        Ok(self.table().get(&facts)?.0.free_bytes)
    }

    fn drop(&mut self, facts: Resource<HeldFacts>) -> wasmtime::Result<()> {
        self.table().delete(facts)?;
        Ok(())
    }
}

impl host::HostLayer for Context {
    fn chain_id(&mut self, layer: Resource<HeldLayer>) -> wasmtime::Result<String> {
        self.enter()?;
        let held = self.table().get(&layer)?;
        Ok(held.chain.0.get(held.index).map(|l| l.chain_id.clone()).unwrap_or_default())
    }

    fn parent(&mut self, layer: Resource<HeldLayer>) -> wasmtime::Result<Option<Resource<HeldLayer>>> {
        self.enter()?;
        let held = self.table().get(&layer)?;
        let Some(index) = held.index.checked_sub(1) else { return Ok(None) };
        let parent = HeldLayer { chain: held.chain.clone(), index };
        Ok(Some(self.table().push(parent)?))
    }

    fn place(&mut self, layer: Resource<HeldLayer>) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        let held = self.table().get(&layer)?;
        Ok(held.chain.0.get(held.index).and_then(|l| l.place.as_ref()).map(ToString::to_string))
    }

    fn drop(&mut self, layer: Resource<HeldLayer>) -> wasmtime::Result<()> {
        self.table().delete(layer)?;
        Ok(())
    }
}

impl host::HostSteps for Context {
    fn make_dir(&mut self, steps: Resource<HeldSteps>, at: String) -> Answer<()> {
        self.enter()?;
        self.record(&steps, StorageStep::MakeDir { at: place(&at)? })
    }

    fn clone_tree(&mut self, steps: Resource<HeldSteps>, src: String, dst: String) -> Answer<()> {
        self.enter()?;
        self.record(&steps, StorageStep::CloneTree { src: place(&src)?, dst: place(&dst)? })
    }

    fn subvolume(&mut self, steps: Resource<HeldSteps>, at: String) -> Answer<()> {
        self.enter()?;
        self.record(&steps, StorageStep::Subvolume { at: place(&at)? })
    }

    fn snapshot(&mut self, steps: Resource<HeldSteps>, src: String, dst: String) -> Answer<()> {
        self.enter()?;
        self.record(&steps, StorageStep::Snapshot { src: place(&src)?, dst: place(&dst)? })
    }

    fn make_image(&mut self, steps: Resource<HeldSteps>, src: String, dst: String, format: String) -> Answer<()> {
        self.enter()?;
        let step = StorageStep::MakeImage { src: place(&src)?, dst: place(&dst)?, format: format_word(format)? };
        self.record(&steps, step)
    }

    fn rename(&mut self, steps: Resource<HeldSteps>, src: String, dst: String) -> Answer<()> {
        self.enter()?;
        self.record(&steps, StorageStep::Rename { src: place(&src)?, dst: place(&dst)? })
    }

    fn quota(&mut self, steps: Resource<HeldSteps>, at: String, bytes: u64) -> Answer<()> {
        self.enter()?;
        self.record(&steps, StorageStep::Quota { at: place(&at)?, bytes })
    }

    fn discard(&mut self, steps: Resource<HeldSteps>, at: String) -> Answer<()> {
        self.enter()?;
        self.record(&steps, StorageStep::Discard { at: place(&at)? })
    }

    fn drop(&mut self, steps: Resource<HeldSteps>) -> wasmtime::Result<()> {
        self.table().delete(steps)?;
        Ok(())
    }
}

impl host::HostUnpack for Context {
    fn into(&mut self, unpack: Resource<HeldUnpack>, at: String) -> Answer<()> {
        self.enter()?;
        let at = place(&at)?;
        self.table().get(&unpack)?.0.with(|said| match said.into {
            Some(_) => Err(Refusal::from(PolicyError::Invalid("the folder to unpack into was said twice".to_owned()))),
            None => {
                said.into = Some(at);
                Ok(())
            }
        })
    }

    fn needs_parent_first(&mut self, unpack: Resource<HeldUnpack>) -> wasmtime::Result<()> {
        self.enter()?;
        self.table().get(&unpack)?.0.with(|said| said.needs_parent_first = true);
        Ok(())
    }

    fn whiteouts(&mut self, unpack: Resource<HeldUnpack>, word: String) -> Answer<()> {
        self.enter()?;
        let style = style(&word)?;
        self.table().get(&unpack)?.0.with(|said| said.whiteouts = style);
        Ok(())
    }

    fn drop(&mut self, unpack: Resource<HeldUnpack>) -> wasmtime::Result<()> {
        self.table().delete(unpack)?;
        Ok(())
    }
}

impl Context {
    fn mount(&mut self, root: &Resource<HeldRoot>, mount: RootMount) -> Answer<()> {
        self.table().get(root)?.said.with(|said| match said.mount {
            Some(_) => {
                Err(Refusal::from(PolicyError::Invalid("a root is one mount, and one was said already".to_owned())))
            }
            None => {
                said.mount = Some(mount);
                Ok(())
            }
        })
    }
}

impl host::HostRoot for Context {
    fn setting(&mut self, root: Resource<HeldRoot>, key: String) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        let held = self.table().get(&root)?;
        let value = held.settings.get(&key).cloned();
        if value.is_some() {
            held.said.with(|said| said.asked.insert(key));
        }
        Ok(value)
    }

    fn overlay(
        &mut self,
        root: Resource<HeldRoot>,
        lower: Vec<String>,
        upper: Option<String>,
        work: Option<String>,
    ) -> Answer<()> {
        self.enter()?;
        if lower.is_empty() || lower.len() > MAX_LOWER {
            let text = format!("an overlay has 1 to {MAX_LOWER} lower trees, this one has {}", lower.len());
            return Err(PolicyError::Invalid(text).into());
        }
        if upper.is_some() != work.is_some() {
            return Err(PolicyError::Invalid("upper and work go together".to_owned()).into());
        }
        let lower = lower.iter().map(|l| place(l)).collect::<Result<_, _>>()?;
        let upper = upper.as_deref().map(place).transpose()?;
        let work = work.as_deref().map(place).transpose()?;
        self.mount(&root, RootMount::Overlay { lower, upper, work })
    }

    fn tree(&mut self, root: Resource<HeldRoot>, at: String, writable: bool) -> Answer<()> {
        self.enter()?;
        self.mount(&root, RootMount::Tree { at: place(&at)?, writable })
    }

    fn image(&mut self, root: Resource<HeldRoot>, at: String, format: String) -> Answer<()> {
        self.enter()?;
        self.mount(&root, RootMount::Image { at: place(&at)?, format: format_word(format)? })
    }

    fn changes_in(&mut self, root: Resource<HeldRoot>, at: String, word: String) -> Answer<()> {
        self.enter()?;
        let changes = (place(&at)?, style(&word)?);
        self.table().get(&root)?.said.with(|said| said.changes = Some(changes));
        Ok(())
    }

    fn drop(&mut self, root: Resource<HeldRoot>) -> wasmtime::Result<()> {
        self.table().delete(root)?;
        Ok(())
    }
}
