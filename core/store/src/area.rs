//! A driver's area, `areas/<driver>/`: the one folder beneath which its places are resolved.

use crate::{
    dirs::{self, DIR},
    error::{IoContext, Result, StoreError},
    facts,
    steps::{forget, project_of},
};
use davit_model::storage::{Facts, Place};
use rustix::fs::{FileType, Mode, OFlags};
use std::{
    ffi::{CStr, CString},
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

    /// Opens a place to read from: a folder as it is, an image mounted where nobody else sees it, until it is closed.
    pub(crate) fn open_tree(&self, place: &Place) -> Result<OwnedFd> {
        if dirs::kind(&self.0.fd, &self.name(place)?)? != Some(FileType::RegularFile) {
            return self.open_dir(place);
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file =
            rustix::fs::openat(&self.0.fd, place.as_str(), flags, Mode::empty()).doing("open", self.shown(place))?;
        let format = davit_sys::image::format(file.as_fd()).doing("read image", self.shown(place))?;
        let format =
            format.ok_or_else(|| StoreError::NotFound { kind: "image of a layer", name: self.shown(place) })?;
        davit_sys::image::mount(file.as_fd(), format).doing("mount image", self.shown(place))
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
                self.remove(self.0.trash.as_fd(), &name)?;
            }
        }
        Ok(())
    }

    /// Removes what was a place, with the limit that is kept for it.
    pub(crate) fn remove(&self, at: BorrowedFd<'_>, name: &CStr) -> Result<()> {
        let project = project_of(at, name);
        dirs::remove_tree(at, name)?;
        project.map_or(Ok(()), |project| forget(self.fd(), project))
    }

    /// Whether limits on trees hold here.
    pub(crate) fn limits_projects(&self) -> bool {
        facts::limits_projects(self.fd())
    }

    /// Everything written beneath the area reaches the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        rustix::fs::syncfs(&self.0.fd).doing("flush", self.0.driver.clone())
    }

    /// What the file system beneath can do.
    pub fn facts(&self) -> Result<Facts> {
        facts::of(self.fd(), &self.0.driver)
    }
}
