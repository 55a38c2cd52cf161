//! Storage by full copies: every layer is a whole tree, its parent's copied and the archive applied on top, and a
//! container's root is one more copy. Slow and large, and works on any file system. Where the file system can share
//! extents (reflink), the copies are cheap.
//!
//! Names in the area: `CHAIN.part` while a layer is written, `t-CHAIN` when it is committed, `r-ID` for a root.

use davit_plugin_sdk::{
    host::check_settings,
    storage::{Error, Facts, Layer, Result, Root, Steps, StorageDriver, Unpack},
};

struct Vfs;

fn unfinished(layer: &Layer) -> String {
    format!("{}.part", layer.chain_id())
}

fn committed(layer: &Layer) -> String {
    format!("t-{}", layer.chain_id())
}

fn root_of(id: &str) -> String {
    format!("r-{id}")
}

fn place(layer: &Layer) -> Result<String> {
    layer.place().ok_or_else(|| Error::Invalid(format!("layer {} is not committed", layer.chain_id())))
}

impl StorageDriver for Vfs {
    fn probe(_: &Facts) -> Result<()> {
        check_settings(&[])
    }

    fn prepare_layer(layer: &Layer, steps: &Steps, unpack: &Unpack) -> Result<()> {
        let at = unfinished(layer);
        // A parent that is still being written is copied when the core asks again.
        match layer.parent().and_then(|parent| parent.place()) {
            Some(parent) => steps.clone_tree(&parent, &at)?,
            None => steps.make_dir(&at)?,
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
            Some(layer) => steps.clone_tree(&place(layer)?, &at)?,
            None => steps.make_dir(&at)?,
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

davit_plugin_sdk::export!(storage: Vfs);
