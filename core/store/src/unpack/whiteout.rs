//! Deletions of lower layers' entries, written in the style that the driver asked for.

use super::{Unpack, tree::Tree};
use crate::{
    dirs,
    error::{IoContext, Result, StoreError},
};
use davit_model::storage::WhiteoutStyle;
use rustix::fs::{FileType, Mode, XattrFlags};
use std::os::fd::{AsFd, OwnedFd};

/// Hides the lower layers' folder of that name (kernel, overlayfs.rst, "whiteouts and opaque directories").
pub(super) fn mark_opaque(dir: impl AsFd, style: WhiteoutStyle) -> Result<()> {
    let name = match style {
        WhiteoutStyle::Overlay => "trusted.overlay.opaque",
        WhiteoutStyle::OverlayUser => "user.overlay.opaque",
        WhiteoutStyle::Apply => return Ok(()),
    };
    rustix::fs::fsetxattr(dir, name, b"y", XattrFlags::empty()).doing("mark as opaque", "a folder")
}

impl Unpack<'_> {
    /// Folders that were implied where a whiteout stood hide what it hid.
    pub(super) fn settle(&mut self) -> Result<()> {
        for dir in self.tree.take_over_whiteout() {
            mark_opaque(&*dir, self.style)?;
        }
        Ok(())
    }

    /// `.wh.x`: what a lower layer has there goes; what this layer has written stays, whichever came first.
    pub(super) fn whiteout(&mut self, path: &[u8]) -> Result<()> {
        if self.style == WhiteoutStyle::Apply {
            return self.remove_lower(path);
        }
        let (parent, name) = self.tree.parent(path, &self.written, &mut self.deleted)?;
        self.settle()?;
        match dirs::kind(&parent, &name)? {
            Some(FileType::Directory) => {
                let dir = rustix::fs::openat(&parent, &name, dirs::DIR, Mode::empty()).doing("open", "a folder")?;
                mark_opaque(dir, self.style)
            }
            Some(_) => Ok(()),
            None => {
                let kind = FileType::CharacterDevice;
                rustix::fs::mknodat(&parent, &name, kind, Mode::empty(), rustix::fs::makedev(0, 0))
                    .doing("write a whiteout", name.to_string_lossy())?;
                self.deleted.insert(path.to_vec());
                Ok(())
            }
        }
    }

    /// `.wh..wh..opq`: nothing of the lower layers' folder shows.
    pub(super) fn opaque(&mut self, path: &[u8]) -> Result<()> {
        if self.style == WhiteoutStyle::Apply {
            return self.remove_lower_children(path);
        }
        let dir = self.tree.dir(path, &self.written, &mut self.deleted)?;
        self.settle()?;
        mark_opaque(&*dir, self.style)
    }

    fn has_written_below(&self, path: &[u8]) -> bool {
        let prefix = [path, b"/"].concat();
        self.written.range(prefix.clone()..).next().is_some_and(|p| p.starts_with(&prefix))
    }

    /// Removes a lower layer's entry, and of a folder that this layer has written into, the rest. A link among the parents means that nothing is
    /// there to delete: it is not followed.
    fn remove_lower(&mut self, path: &[u8]) -> Result<()> {
        let Ok((parent, name)) = self.tree.existing_parent(path) else { return Ok(()) };
        let below = self.has_written_below(path);
        let kind = dirs::kind(&parent, &name)?;
        if kind == Some(FileType::Directory) && (below || self.written.contains(path)) {
            return self.remove_lower_children(path);
        }
        if kind.is_some() && !self.written.contains(path) {
            self.tree.forget(path);
            dirs::remove_tree(&*parent, &name)?;
        }
        Ok(())
    }

    fn remove_lower_children(&mut self, path: &[u8]) -> Result<()> {
        // A worklist, not recursion: hostile trees may be deep.
        let mut folders = vec![path.to_vec()];
        while let Some(folder) = folders.pop() {
            let Some(dir) = existing(&mut self.tree, &folder)? else { continue };
            for name in dirs::names(&dir)? {
                let child = if folder.is_empty() {
                    name.to_bytes().to_vec()
                } else {
                    [folder.as_slice(), b"/", name.to_bytes()].concat()
                };
                if self.written.contains(&child) || self.has_written_below(&child) {
                    if dirs::kind(&dir, &name)? == Some(FileType::Directory) {
                        folders.push(child);
                    }
                } else {
                    self.tree.forget(&child);
                    dirs::remove_tree(&dir, &name)?;
                }
            }
        }
        Ok(())
    }
}

/// A folder that is there; none where it is missing, no folder, or behind a link.
fn existing(tree: &mut Tree<'_>, path: &[u8]) -> Result<Option<OwnedFd>> {
    use rustix::io::Errno;
    let root = tree.root()?;
    let at = if path.is_empty() { b".".as_slice() } else { path };
    match rustix::fs::openat2(root, at, dirs::DIR, Mode::empty(), dirs::BENEATH) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(e) => Err(StoreError::io("open folder", String::from_utf8_lossy(path), e)),
    }
}
