//! Storage by btrfs: every layer is a subvolume with the whole tree, a snapshot of its parent's with the archive applied
//! on top, and a container's root is one more snapshot. Nothing is copied, and what nobody changes is there once.
//!
//! Names in the area: `CHAIN.part` while a layer is written, `s-CHAIN` when it is committed, `r-ID` for a root.

use davit_plugin_sdk::{
    host::check_settings,
    storage::{Error, Facts, Layer, Result, Root, Steps, StorageDriver, Unpack},
};

struct Btrfs;

fn unfinished(layer: &Layer) -> String {
    format!("{}.part", layer.chain_id())
}

fn committed(layer: &Layer) -> String {
    format!("s-{}", layer.chain_id())
}

fn root_of(id: &str) -> String {
    format!("r-{id}")
}

fn place(layer: &Layer) -> Result<String> {
    layer.place().ok_or_else(|| Error::Invalid(format!("layer {} is not committed", layer.chain_id())))
}

impl StorageDriver for Btrfs {
    fn probe(facts: &Facts) -> Result<()> {
        check_settings(&[])?;
        if facts.has("btrfs") {
            Ok(())
        } else {
            Err(Error::Unsupported(
                "the data root is on no btrfs; put it on one, or choose the storage driver overlay".to_owned(),
            ))
        }
    }

    fn prepare_layer(layer: &Layer, steps: &Steps, unpack: &Unpack) -> Result<()> {
        let at = unfinished(layer);
        // A parent that is still being written is snapshotted when the core asks again.
        match layer.parent().and_then(|parent| parent.place()) {
            Some(parent) => steps.snapshot(&parent, &at)?,
            None => steps.subvolume(&at)?,
        }
        unpack.into(&at)?;
        unpack.needs_parent_first();
        unpack.whiteouts("apply")
    }

    fn commit_layer(layer: &Layer, steps: &Steps) -> Result<String> {
        let at = committed(layer);
        steps.rename(&unfinished(layer), &at)?;
        Ok(at)
    }

    fn prepare_root(id: &str, top: Option<&Layer>, steps: &Steps, root: &Root) -> Result<()> {
        let at = root_of(id);
        match top {
            Some(layer) => steps.snapshot(&place(layer)?, &at)?,
            None => steps.subvolume(&at)?,
        }
        root.tree(&at, true)
    }

    fn promote(id: &str, layer: &Layer, steps: &Steps) -> Result<String> {
        let at = committed(layer);
        steps.rename(&root_of(id), &at)?;
        Ok(at)
    }

    fn remove_layer(layer: &Layer, steps: &Steps) -> Result<()> {
        steps.discard(&layer.place().unwrap_or_else(|| unfinished(layer)))
    }
}

davit_plugin_sdk::export!(storage: Btrfs);
