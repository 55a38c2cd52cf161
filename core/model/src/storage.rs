//! The port to storage drivers: where layers live and what a container's root is made of.
//!
//! A driver answers plans in terms of [`Place`]s, single names beneath its own area; `core/store` makes them real.

use crate::{error::PortError, id::ContainerId, state::Planned};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

/// One path component beneath the driver's own area: `[A-Za-z0-9][A-Za-z0-9_.-]{0,199}`. Never `.`, `..` or a path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place(String);

/// Why a text is not a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not one name beneath the driver's area (allowed: [A-Za-z0-9][A-Za-z0-9_.-], at most 200)")]
pub struct PlaceError(String);

impl Place {
    /// The component.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Place {
    type Err = PlaceError;
    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
        let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if first && rest && text.len() <= 200 {
            Ok(Self(text.to_owned()))
        } else {
            Err(PlaceError(text.chars().take(220).collect()))
        }
    }
}

impl TryFrom<String> for Place {
    type Error = PlaceError;
    fn try_from(text: String) -> Result<Self, PlaceError> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(p: Place) -> Self {
        p.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the file system under the area can do. Feature names are an open set: `overlay`, `reflink`, `btrfs`, `erofs`,
/// `idmap`, `quota`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Features that were probed and found.
    pub features: BTreeSet<String>,
    /// Free bytes of the area's file system.
    pub free_bytes: u64,
}

/// One layer of a chain, as drivers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRef {
    /// The layer's chain id (OCI image-spec, "Layer ChainID"), hex digits only.
    pub chain_id: String,
    /// Where `commit-layer` put it; none while it is not committed.
    pub place: Option<Place>,
}

/// A layer with all that is beneath it, base first. Never empty; the last is the layer in question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerChain(pub Vec<LayerRef>);

/// One thing that the core does beneath the driver's area. Each is journalled, and has its undo in `core/store`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StorageStep {
    /// Make an empty folder, owned by root, mode 0755.
    MakeDir {
        /// The new folder.
        at: Place,
    },
    /// Copy a whole tree with owners, modes, times, xattrs and hardlinks; by reflink where the file system can.
    CloneTree {
        /// What is copied.
        src: Place,
        /// The new tree.
        dst: Place,
    },
    /// Make an empty btrfs subvolume.
    Subvolume {
        /// The new subvolume.
        at: Place,
    },
    /// Make a writable btrfs snapshot.
    Snapshot {
        /// What is snapshotted.
        src: Place,
        /// The new subvolume.
        dst: Place,
    },
    /// Make a read-only file-system image of a tree.
    MakeImage {
        /// The tree.
        src: Place,
        /// The new image file.
        dst: Place,
        /// `erofs` or `squashfs`; an open set.
        format: String,
    },
    /// Rename, atomically.
    Rename {
        /// What it was called.
        src: Place,
        /// What it is to be called; must not exist.
        dst: Place,
    },
    /// Limit a tree's size by a project quota.
    Quota {
        /// The tree.
        at: Place,
        /// The limit in bytes.
        bytes: u64,
    },
    /// Remove a tree, subvolume or file; nothing to do where it is not there.
    Discard {
        /// What goes.
        at: Place,
    },
}

/// How deletions of a lower layer are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhiteoutStyle {
    /// Character device 0/0 and `trusted.overlay.opaque` (kernel, overlayfs.rst).
    Overlay,
    /// As overlay, with `user.overlay.*` names, for mounts made without privilege.
    OverlayUser,
    /// Not written: the deletion is applied to the tree that is there.
    Apply,
}

/// How the core shall write a layer: steps first, then unpack `into`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerPlan {
    /// Done before unpacking, in order.
    pub steps: Vec<StorageStep>,
    /// The folder that the archive is unpacked into.
    pub into: Place,
    /// Whether the parent must be committed before this one is prepared.
    pub needs_parent_first: bool,
    /// How deletions are written.
    pub whiteouts: WhiteoutStyle,
}

/// What makes an unpacked (or promoted) layer final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitPlan {
    /// Done in order.
    pub steps: Vec<StorageStep>,
    /// Where the layer is from now on.
    pub place: Place,
}

/// What a container's root is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootMount {
    /// An overlay mount.
    Overlay {
        /// Read-only layers, base first: folders, or images that [`StorageStep::MakeImage`] made.
        lower: Vec<Place>,
        /// Where changes go; none for a read-only root.
        upper: Option<Place>,
        /// overlayfs's own scratch folder, on the same file system as `upper`.
        work: Option<Place>,
    },
    /// A folder as it is.
    Tree {
        /// The folder.
        at: Place,
        /// Whether the container may write to it.
        writable: bool,
    },
    /// A file-system image, mounted read-only.
    Image {
        /// The image file.
        at: Place,
        /// Its format.
        format: String,
    },
}

/// A container's root: steps first, then the mount (made anew at every start, inside the container's namespace).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootPlan {
    /// Done once, when the container is created.
    pub steps: Vec<StorageStep>,
    /// What is mounted.
    pub mount: RootMount,
    /// Where the container's changes are to be found, and in which style; none: the core compares trees.
    pub changes: Option<(Place, WhiteoutStyle)>,
}

/// Answers how layers are kept. Implemented by the plugin host over a component, and by fakes in tests.
#[async_trait]
pub trait StorageDriver: Send + Sync + fmt::Debug {
    /// The driver's name in the site's file; also the name of its area, hence a [`Place`].
    fn name(&self) -> &str;
    /// Whether the driver can work here.
    async fn probe(&self, facts: &Facts) -> Result<(), PortError>;
    /// How the last layer of `chain` is to be written.
    async fn prepare_layer(&self, chain: &LayerChain) -> Result<Planned<LayerPlan>, PortError>;
    /// How the last layer of `chain`, unpacked, is made final.
    async fn commit_layer(&self, chain: &LayerChain) -> Result<Planned<CommitPlan>, PortError>;
    /// What the root of container `id` is made of; `top` is none for an empty image. `settings` are the caller's wishes:
    /// `unsupported` where the driver does not know one of them.
    async fn prepare_root(
        &self,
        id: &ContainerId,
        top: Option<&LayerChain>,
        settings: &BTreeMap<String, String>,
    ) -> Result<Planned<RootPlan>, PortError>;
    /// How the changes of container `id` become the last layer of `chain`, without a copy.
    async fn promote(&self, id: &ContainerId, chain: &LayerChain) -> Result<Planned<CommitPlan>, PortError>;
    /// How the last layer of `chain` is removed.
    async fn remove_layer(&self, chain: &LayerChain) -> Result<Planned<Vec<StorageStep>>, PortError>;
    /// Bytes that the last layer of `chain` takes alone; none: the core counts. Optional.
    async fn usage(&self, _chain: &LayerChain) -> Result<Option<u64>, PortError> {
        Ok(None)
    }
    /// Which of the names in the area that no record mentions must stay. Optional.
    async fn reconcile(&self, _unknown: &[Place]) -> Result<Vec<Place>, PortError> {
        Ok(Vec::new())
    }
    /// A `layer` or `root` is gone for good. Optional, best effort, never waited for.
    async fn released(&self, _kind: &str, _id: &str) -> Result<(), PortError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_component() {
        for bad in ["", ".", "..", "a/b", "/a", "-a", ".hidden", "a,b", "a:b", "a b", "a\0b"] {
            assert!(bad.parse::<Place>().is_err(), "{bad:?}");
        }
        assert!("layer-0123.work".parse::<Place>().is_ok());
    }
}
