//! A driver's area, `areas/<driver>/`: the one folder beneath which its places are resolved.

use crate::{
    dirs::{self, DIR},
    error::{IoContext, Result, StoreError},
};
use davit_model::storage::{Facts, Place};
use rustix::fs::{Mode, OFlags};
use std::{
    ffi::CString,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

/// Where discarded trees wait until their plan is final. No place can have this name.
const TRASH: &str = ".trash";

/// The folder of one driver; cheap to clone.
#[derive(Clone, Debug)]
pub struct Area(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    driver: String,
    fd: OwnedFd,
    trash: OwnedFd,
}

impl Area {
    pub(crate) fn open(root: &OwnedFd, driver: &str) -> Result<Self> {
        let driver: Place = driver.parse().map_err(|e: davit_model::storage::PlaceError| StoreError::Plan {
            driver: driver.chars().take(80).collect(),
            why: format!("its name cannot be a folder: {e}"),
        })?;
        let areas = dirs::make(root, "areas")?;
        // Traversable: containers of user namespaces reach their root through it.
        rustix::fs::fchmod(&areas, Mode::from_raw_mode(0o711)).doing("set the mode of", "areas")?;
        let fd = dirs::make(&areas, driver.as_str())?;
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(0o711)).doing("set the mode of", driver.as_str())?;
        let trash = dirs::make(&fd, TRASH)?;
        Ok(Self(Arc::new(Inner { driver: driver.into(), fd, trash })))
    }

    /// The driver's name.
    pub fn driver(&self) -> &str {
        &self.0.driver
    }

    /// The folder itself: mounts are made from here, places are names relative to it.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }

    pub(crate) fn trash(&self) -> &OwnedFd {
        &self.0.trash
    }

    /// Opens a place that is a folder.
    pub fn open_dir(&self, place: &Place) -> Result<OwnedFd> {
        rustix::fs::openat(&self.0.fd, place.as_str(), DIR, Mode::empty()).doing("open", self.shown(place))
    }

    pub(crate) fn shown(&self, place: &Place) -> String {
        format!("{}/{place}", self.0.driver)
    }

    /// The place as a name for system calls. Places hold no zero byte.
    pub(crate) fn name(&self, place: &Place) -> Result<CString> {
        CString::new(place.as_str()).map_err(|e| StoreError::io("name", self.shown(place), std::io::Error::other(e)))
    }

    pub(crate) fn exists(&self, place: &Place) -> Result<bool> {
        Ok(dirs::kind(&self.0.fd, &self.name(place)?)?.is_some())
    }

    /// All names in the area that could be places.
    pub(crate) fn names(&self) -> Result<Vec<CString>> {
        Ok(dirs::names(&self.0.fd)?.into_iter().filter(|n| n.to_bytes() != TRASH.as_bytes()).collect())
    }

    /// Empties the trash: of one journal entry, or whole. What is kept is in use by a plan under way.
    pub(crate) fn empty_trash(&self, prefix: &str) -> Result<()> {
        for name in dirs::names(&self.0.trash)? {
            if name.to_bytes().starts_with(prefix.as_bytes()) {
                dirs::remove_tree(&self.0.trash, &name)?;
            }
        }
        Ok(())
    }

    /// Everything written beneath the area reaches the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        rustix::fs::syncfs(&self.0.fd).doing("flush", self.0.driver.clone())
    }

    /// What the file system beneath can do. Each feature is probed: found here means tried here.
    pub fn facts(&self) -> Result<Facts> {
        let stat = rustix::fs::fstatvfs(&self.0.fd).doing("look at", self.0.driver.clone())?;
        let mut facts = Facts { free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize), ..Facts::default() };
        let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
        let has = |name: &str| known.lines().any(|l| l.split_whitespace().next_back() == Some(name));
        // An overlay's upper must hold whiteouts and trusted attributes.
        if has("overlay") && self.holds_overlay_marks() {
            facts.features.insert("overlay".into());
        }
        if has("erofs") {
            facts.features.insert("erofs".into());
        }
        if self.reflinks() {
            facts.features.insert("reflink".into());
        }
        const BTRFS_SUPER_MAGIC: i64 = 0x9123_683e;
        let fs = rustix::fs::fstatfs(&self.0.fd).doing("look at", self.0.driver.clone())?;
        if fs.f_type == BTRFS_SUPER_MAGIC {
            facts.features.insert("btrfs".into());
        }
        Ok(facts)
    }

    fn scratch(&self) -> Option<OwnedFd> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        rustix::fs::openat(&self.0.trash, ".", flags, Mode::RUSR | Mode::WUSR).ok()
    }

    fn reflinks(&self) -> bool {
        let (Some(a), Some(b)) = (self.scratch(), self.scratch()) else { return false };
        rustix::io::write(&a, &[1; 4096]).is_ok() && rustix::fs::ioctl_ficlone(&b, &a).is_ok()
    }

    fn holds_overlay_marks(&self) -> bool {
        let flags = rustix::fs::XattrFlags::empty();
        self.scratch().is_some_and(|f| rustix::fs::fsetxattr(&f, "trusted.overlay.opaque", b"y", flags).is_ok())
    }
}
