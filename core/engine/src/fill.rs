//! An empty volume gets what the image has at its target: contents, owners, modes (Docker's rule, unless `nocopy`).
//!
//! The copy is made beside the volume's data and takes its place in one rename: a volume is empty or whole, whenever
//! the daemon is killed, and an empty one is filled by the next container. What a kill left is removed at the start.

use crate::{Engine, EngineError, images::store_error, record::MountRecord, volumes::DATA};
use davit_model::id::ContainerId;
use rustix::{
    fs::{Mode, OFlags, ResolveFlags},
    io::Errno,
};
use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

/// What the name of a copy under way begins with.
const UNDER_WAY: &str = "filling-";

impl Engine {
    /// Fills the empty ones among a new container's volumes. A volume that a running container has mounted stays as it
    /// is: its folder cannot be exchanged under it.
    pub(crate) async fn fill_volumes(&self, id: &ContainerId, mounts: &[MountRecord]) -> Result<(), EngineError> {
        let mounted = |name: &str| {
            let uses = |c: &std::sync::Arc<crate::container::Container>| {
                c.read(|r| r.state.status.has_process() && r.mounts.iter().any(|m| m.name.as_deref() == Some(name)))
            };
            self.inner.containers.all().iter().any(uses)
        };
        let volumes: Vec<Volume> = mounts
            .iter()
            .filter(|m| m.kind == "volume" && !m.no_copy)
            .filter_map(|m| Some((m.name.clone().filter(|n| !mounted(n))?, m)))
            .map(|(name, m)| Volume { folder: self.volume_folder(&name), name, target: m.target.clone().into() })
            .collect();
        if volumes.is_empty() {
            return Ok(());
        }
        let root = self.inner.store.root(id).await.map_err(store_error)?;
        let root = root.ok_or_else(|| EngineError::internal("filling volumes", "the container's root is gone"))?;
        let staged = format!("{UNDER_WAY}{id}");
        let work = move || {
            let empty = volumes.into_iter().filter(|v| v.is_empty()).collect::<Vec<_>>();
            if empty.is_empty() {
                return Ok(());
            }
            let view = davit_runtime::view::root(root.area.fd(), &root.plan.mount)
                .map_err(|e| EngineError::internal("filling volumes", e))?;
            empty.iter().try_for_each(|volume| {
                let filled = volume.fill(view.as_fd(), &staged);
                filled.map_err(|e| e.context(&format!("filling the volume {} from the image", volume.name)))
            })
        };
        tokio::task::spawn_blocking(work).await.map_err(|e| EngineError::internal("filling volumes", e))?
    }

    /// Removes copies that a killed daemon left, and folders of volumes that have no record.
    pub(crate) async fn clear_volumes(&self) -> Result<(), EngineError> {
        let known: std::collections::BTreeSet<String> =
            self.volumes().await?.into_iter().map(|v| v.record.name).collect();
        let all = self.inner.options.data_root.join("volumes");
        let clear = move || {
            let failed = |path: &Path, e| tracing::warn!("removing {}: {e}", path.display());
            for volume in std::fs::read_dir(&all).into_iter().flatten().flatten() {
                let path = volume.path();
                if !volume.file_name().to_str().is_some_and(|name| known.contains(name)) {
                    std::fs::remove_dir_all(&path).unwrap_or_else(|e| failed(&path, e));
                    continue;
                }
                for entry in std::fs::read_dir(&path).into_iter().flatten().flatten() {
                    if entry.file_name().to_string_lossy().starts_with(UNDER_WAY) {
                        std::fs::remove_dir_all(entry.path()).unwrap_or_else(|e| failed(&entry.path(), e));
                    }
                }
            }
        };
        tokio::task::spawn_blocking(clear).await.map_err(|e| EngineError::internal("clearing volumes", e))
    }
}

/// A volume and where it is mounted.
struct Volume {
    name: String,
    folder: PathBuf,
    target: PathBuf,
}

impl Volume {
    fn is_empty(&self) -> bool {
        std::fs::read_dir(self.folder.join(DATA)).is_ok_and(|mut entries| entries.next().is_none())
    }

    fn fill(&self, root: BorrowedFd<'_>, staged: &str) -> Result<(), EngineError> {
        let failed = |what: &'static str| move |e: Errno| EngineError::internal(what, e);
        let Some(source) = folder_in(root, &self.target).map_err(|e| EngineError::internal("looking at it", e))? else {
            return Ok(());
        };
        let folder = crate::launch::open_dir(&self.folder)?;
        rustix::fs::mkdirat(&folder, staged, Mode::RWXU).map_err(failed("making a folder for the copy"))?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let into = rustix::fs::openat(&folder, staged, flags, Mode::empty()).map_err(failed("opening the copy"))?;
        let placed = into.try_clone().map_err(|e| EngineError::internal("copying", e)).and_then(|to| {
            davit_store::copy_tree(source, to).map_err(store_error)?;
            rustix::fs::syncfs(&into).map_err(failed("flushing the copy"))?;
            match rustix::fs::renameat(&folder, staged, &folder, DATA) {
                // Another container has filled it, or written to it, meanwhile.
                Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
                other => other.map(|()| true).map_err(failed("putting the copy in its place")),
            }
        });
        if !matches!(placed, Ok(true))
            && let Err(e) = std::fs::remove_dir_all(self.folder.join(staged))
        {
            tracing::warn!(volume = self.name, "removing a copy: {e}; the next start tries again");
        }
        placed.map(drop)
    }
}

/// A folder by its path in a container's root; none where there is nothing, or no folder.
fn folder_in(root: BorrowedFd<'_>, path: &Path) -> io::Result<Option<OwnedFd>> {
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    match rustix::fs::openat2(root, path, flags, Mode::empty(), how) {
        Ok(folder) => Ok(Some(folder)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(e) => Err(e.into()),
    }
}
