//! Storage by the kernel's overlayfs: every layer is a folder of its own, independent of its parent, so that layers
//! unpack at the same time; a container's root is an overlay of them with a folder for its changes on top.
//!
//! Names in the area: `CHAIN.part` while a layer is written, `l-CHAIN` when it is committed, `u-ID` and `w-ID` for a
//! container's changes and overlayfs's scratch folder.
//!
//!     [plugins.overlay.config]
//!     size = "10GiB"                # the most that a container may change; none: no limit
//!
//! A container may want less: `--storage-opt size=5G`.

use davit_plugin_sdk::{
    host::{check_settings, config},
    size,
    storage::{Error, Facts, Layer, Result, Root, Steps, StorageDriver, Unpack},
};

struct Overlay;

const STYLE: &str = "overlay";

fn unfinished(layer: &Layer) -> String {
    format!("{}.part", layer.chain_id())
}

fn committed(layer: &Layer) -> String {
    format!("l-{}", layer.chain_id())
}

fn upper(id: &str) -> String {
    format!("u-{id}")
}

fn work(id: &str) -> String {
    format!("w-{id}")
}

/// The places of a layer and all beneath it, base first.
fn places(top: &Layer) -> Result<Vec<String>> {
    let place_of = |layer: &Layer| {
        layer.place().ok_or_else(|| Error::Invalid(format!("layer {} is not committed", layer.chain_id())))
    };
    let mut places = vec![place_of(top)?];
    let mut next = top.parent();
    while let Some(layer) = next {
        places.push(place_of(&layer)?);
        next = layer.parent();
    }
    places.reverse();
    Ok(places)
}

/// What the site lets each container change, in bytes.
fn size() -> Result<Option<u64>> {
    // A text, or a number as JSON.
    let Some(size) = config::get("size")? else { return Ok(None) };
    let wrong = || Error::Invalid(format!("the plugin's configuration: size {size:?} is not one such as 10GiB"));
    size::bytes(size.trim()).filter(|bytes| *bytes > 0).map(Some).ok_or_else(wrong)
}

/// What this container may change: what its creator wants, where the site allows that much.
fn size_of(root: &Root) -> Result<Option<u64>> {
    let most = size()?;
    let Some(text) = root.setting("size") else { return Ok(most) };
    let wanted = size::asked(&text).filter(|bytes| *bytes > 0);
    let wanted = wanted.ok_or_else(|| Error::Invalid(format!("size {text:?} is not one such as 10G")))?;
    match most {
        Some(most) if wanted > most => {
            Err(Error::Denied(format!("size {text} is more than the {most} bytes that the site gives a container")))
        }
        _ => Ok(Some(wanted)),
    }
}

impl StorageDriver for Overlay {
    fn probe(facts: &Facts) -> Result<()> {
        check_settings(&["size"])?;
        if !facts.has("overlay") {
            return Err(Error::Unsupported(
                "overlayfs cannot be mounted on this file system; choose the storage driver vfs".to_owned(),
            ));
        }
        if size()?.is_some() && !facts.has("quota") {
            return Err(Error::Unsupported(
                "size is configured, and the data root's file system has no project quotas: mount an ext4 or xfs with \
                 prjquota, or leave size out"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    fn prepare_layer(layer: &Layer, steps: &Steps, unpack: &Unpack) -> Result<()> {
        let at = unfinished(layer);
        steps.make_dir(&at)?;
        unpack.into(&at)?;
        unpack.whiteouts(STYLE)
    }

    fn commit_layer(layer: &Layer, steps: &Steps) -> Result<String> {
        let place = committed(layer);
        steps.rename(&unfinished(layer), &place)?;
        Ok(place)
    }

    fn prepare_root(id: &str, top: Option<&Layer>, steps: &Steps, root: &Root) -> Result<()> {
        let upper = upper(id);
        steps.make_dir(&upper)?;
        let size = size_of(root)?;
        if let Some(bytes) = size {
            steps.quota(&upper, bytes)?;
        }
        let Some(top) = top else { return root.tree(&upper, true) };
        let work = work(id);
        steps.make_dir(&work)?;
        if let Some(bytes) = size {
            // What is on its way to the upper folder counts with it.
            steps.quota(&work, bytes)?;
        }
        root.overlay(&places(top)?, Some(&upper), Some(&work))?;
        root.changes_in(&upper, STYLE)
    }

    fn promote(id: &str, layer: &Layer, steps: &Steps) -> Result<String> {
        let place = committed(layer);
        steps.rename(&upper(id), &place)?;
        if layer.parent().is_some() {
            steps.discard(&work(id))?;
        }
        Ok(place)
    }

    fn remove_layer(layer: &Layer, steps: &Steps) -> Result<()> {
        steps.discard(&layer.place().unwrap_or_else(|| unfinished(layer)))
    }
}

davit_plugin_sdk::export!(storage: Overlay);
