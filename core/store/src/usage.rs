//! How much a tree holds. Blocking; links are never followed, and a file with several names counts once.

use crate::{
    dirs::{self, BENEATH, DIR},
    error::{IoContext, Result},
    store::Store,
};
use davit_model::{id::ContainerId, storage::RootMount};
use rustix::fs::{AtFlags, FileType, Mode};
use std::{
    collections::HashSet,
    os::fd::{AsFd, BorrowedFd},
};

/// Bytes of file content beneath a folder.
pub fn usage(root: BorrowedFd<'_>) -> Result<u64> {
    let (mut bytes, mut seen) = (0u64, HashSet::new());
    // Paths instead of recursion: depth costs neither stack nor descriptors.
    let mut waiting = vec![b".".to_vec()];
    while let Some(path) = waiting.pop() {
        let shown = || String::from_utf8_lossy(&path).chars().take(200).collect::<String>();
        let dir = match rustix::fs::openat2(root, path.as_slice(), DIR, Mode::empty(), BENEATH) {
            // Trees that are looked at may be in use.
            Err(rustix::io::Errno::NOENT) => continue,
            other => other.doing("open folder", shown())?,
        };
        for name in dirs::names(&dir)? {
            let stat = match rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(rustix::io::Errno::NOENT) => continue,
                other => other.doing("look at", shown())?,
            };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => waiting.push([path.as_slice(), b"/", name.to_bytes()].concat()),
                FileType::RegularFile if stat.st_nlink == 1 || seen.insert((stat.st_dev, stat.st_ino)) => {
                    bytes = bytes.saturating_add(u64::try_from(stat.st_size).unwrap_or(0));
                }
                _ => {}
            }
        }
    }
    Ok(bytes)
}

impl Store {
    /// Bytes that a container's root takes for itself: its changes, or with a driver that copies all of it. 0 where it
    /// has no root.
    pub async fn root_usage(&self, container: &ContainerId) -> Result<u64> {
        let Some(root) = self.root(container).await? else { return Ok(0) };
        let own = match root.plan.changes {
            Some((place, _)) => Some(place),
            None => match root.plan.mount {
                RootMount::Tree { at, writable: true } => Some(at),
                _ => None,
            },
        };
        let Some(place) = own else { return Ok(0) };
        let look = move || usage(root.area.open_dir(&place)?.as_fd());
        tokio::task::spawn_blocking(look).await.map_err(crate::StoreError::join)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_once_and_what_a_link_names_does_not() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::write(dir.path().join("a/b/f"), [0; 1000]).unwrap();
        std::fs::hard_link(dir.path().join("a/b/f"), dir.path().join("g")).unwrap();
        std::fs::write(dir.path().join("h"), [0; 10]).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("l")).unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("m")).unwrap();
        let root = std::fs::File::open(dir.path()).unwrap();
        assert_eq!(usage(root.as_fd()).unwrap(), 1010);
    }
}
