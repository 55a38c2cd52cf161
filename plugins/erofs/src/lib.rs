//! Storage by images: every layer is one read-only erofs file, and a container's root is an overlay over the mounted
//! images with a folder for its changes on top. Layers are independent of their parents and unpack at the same time;
//! what is committed cannot be changed by anything that writes files.
//!
//! Names in the area: `CHAIN.part` for the tree while a layer is written, `i-CHAIN` for its image, `u-ID` and `w-ID` for
//! a container's changes and overlayfs's scratch folder.

use davit_plugin_sdk::{
    host::check_settings,
    storage::{Error, Facts, Layer, Result, Root, Steps, StorageDriver, Unpack},
};

struct Erofs;

const STYLE: &str = "overlay";
const FORMAT: &str = "erofs";

fn unfinished(layer: &Layer) -> String {
    format!("{}.part", layer.chain_id())
}

fn committed(layer: &Layer) -> String {
    format!("i-{}", layer.chain_id())
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

/// A tree becomes a layer's image.
fn make_image(layer: &Layer, tree: &str, steps: &Steps) -> Result<String> {
    let image = committed(layer);
    steps.make_image(tree, &image, FORMAT)?;
    steps.discard(tree)?;
    Ok(image)
}

impl StorageDriver for Erofs {
    fn probe(facts: &Facts) -> Result<()> {
        check_settings(&[])?;
        for (feature, missing) in [
            ("erofs", "this kernel has no erofs, or the package erofs-utils is not installed"),
            ("overlay", "overlayfs cannot be mounted on this file system"),
        ] {
            if !facts.has(feature) {
                return Err(Error::Unsupported(format!("{missing}; choose the storage driver overlay or vfs")));
            }
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
        make_image(layer, &unfinished(layer), steps)
    }

    fn prepare_root(id: &str, top: Option<&Layer>, steps: &Steps, root: &Root) -> Result<()> {
        let upper = upper(id);
        steps.make_dir(&upper)?;
        let Some(top) = top else { return root.tree(&upper, true) };
        let work = work(id);
        steps.make_dir(&work)?;
        root.overlay(&places(top)?, Some(&upper), Some(&work))?;
        root.changes_in(&upper, STYLE)
    }

    fn promote(id: &str, layer: &Layer, steps: &Steps) -> Result<String> {
        let image = make_image(layer, &upper(id), steps)?;
        if layer.parent().is_some() {
            steps.discard(&work(id))?;
        }
        Ok(image)
    }

    fn remove_layer(layer: &Layer, steps: &Steps) -> Result<()> {
        steps.discard(&layer.place().unwrap_or_else(|| unfinished(layer)))
    }
}

davit_plugin_sdk::export!(storage: Erofs);
