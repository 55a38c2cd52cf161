//! File-system images of the storage area, mounted read-only, and the place where a mount namespace keeps them until
//! the root stands.

use super::resolve;
use crate::failure::{At, Failure, Stage};
use davit_sys::image;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// What a name of the area turned out to be.
#[derive(Debug)]
pub(super) enum Place {
    Folder(OwnedFd),
    /// An image's own root, mounted and attached nowhere.
    Image(OwnedFd),
}

/// Opens a name of the area, which is the working directory. Only the store makes files there, out of trees: a file is an
/// image, and its superblock says of which format.
pub(super) fn place(name: &str) -> Result<Place, Failure> {
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let open = |flags| resolve::open(CWD.as_fd(), Path::new(name), flags, beneath);
    let found = open(OFlags::PATH).at(Stage::Root, || format!("open layer {name}"))?;
    let stat = rustix::fs::fstat(&found).at(Stage::Root, || format!("look at layer {name}"))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Ok(Place::Folder(found)),
        FileType::RegularFile => {
            let file = open(OFlags::RDONLY).at(Stage::Root, || format!("open image {name}"))?;
            let format = image::format(file.as_fd()).at(Stage::Root, || format!("read image {name}"))?;
            let format =
                format.ok_or_else(|| Failure::new(Stage::Root, format!("{name} is no image of a known format")))?;
            let mounted = image::mount(file.as_fd(), format);
            mounted.map(Place::Image).at(Stage::Root, || format!("mount {format} image {name}"))
        }
        _ => Err(Failure::new(Stage::Root, format!("layer {name} is neither a folder nor an image"))),
    }
}

/// An image as a root: read-only, as all images are.
pub(super) fn root(name: &str, format: &str) -> Result<OwnedFd, Failure> {
    match place(name)? {
        Place::Image(mounted) => Ok(mounted),
        Place::Folder(_) => {
            Err(Failure::new(Stage::Root, format!("{name} is a folder, not an image of format {format}")))
        }
    }
}

/// A tmpfs over the working directory, for what must be attached somewhere: overlayfs takes detached mounts as layers
/// only since Linux 6.15. It goes with the old root; overlayfs holds clones of its own.
#[derive(Debug)]
pub(super) struct Scaffold {
    fd: OwnedFd,
    attached: u32,
}

impl Scaffold {
    pub(super) fn new() -> io::Result<Self> {
        let fs = mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        mount::fsconfig_create(fs.as_fd())?;
        let fd = mount::fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
        mount::move_mount(fd.as_fd(), "", CWD, ".", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        Ok(Self { fd, attached: 0 })
    }

    /// Attaches a detached mount; its descriptor then names the attached one.
    pub(super) fn attach(&mut self, mounted: &OwnedFd) -> io::Result<()> {
        let name = self.attached.to_string();
        self.attached += 1;
        self.folder(&name)?;
        Ok(mount::move_mount(mounted, "", &self.fd, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
    }

    /// A new folder to mount something on.
    pub(super) fn folder(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.fd, name, Mode::RWXU)?)
    }

    /// What is mounted on a folder by now.
    pub(super) fn open(&self, name: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.fd, name, flags, Mode::empty())?)
    }

    pub(super) fn as_fd(&self) -> &OwnedFd {
        &self.fd
    }
}
