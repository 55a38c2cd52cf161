//! Mounting overlayfs over many layers, folders and read-only images, in the three tiers that kernels from 5.10 to today
//! need.

use super::image::{self, Scaffold};
use super::resolve;
use super::root::Root;
use crate::failure::{At, Failure, Stage};
use crate::spec::OverlayTier;
use davit_model::storage::Place;
use rustix::io::Errno;
use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// What an overlay is made of, base first.
struct Parts<'a> {
    lower: Vec<(&'a Place, image::Place)>,
    upper: Option<&'a Place>,
    work: Option<&'a Place>,
    /// Where the images among the layers are attached; none where all are folders.
    scaffold: Option<Scaffold>,
}

/// Mounts `lower` (base first) with `upper` and `work`, all names of the area, which is the working directory. Without
/// a tier, each is tried from the best on until one is not refused as unknown.
pub(super) fn mount(
    lower: &[Place],
    upper: Option<&Place>,
    work: Option<&Place>,
    tier: Option<OverlayTier>,
) -> Result<Root, Failure> {
    if lower.is_empty() || upper.is_some() != work.is_some() {
        return Err(Failure::new(Stage::Root, "overlay needs a lower layer, and upper and work folders together"));
    }
    let parts = Parts::open(lower, upper, work)?;
    let all = [OverlayTier::Descriptor, OverlayTier::ProcPath, OverlayTier::ShortNames];
    let mut last = None;
    for tier in all.into_iter().filter(|t| tier.is_none_or(|only| only == *t)) {
        let mounted = match tier {
            OverlayTier::ShortNames => parts.by_names().map(Root::attached),
            OverlayTier::Descriptor | OverlayTier::ProcPath => parts.by_descriptors(tier).map(Root::detached),
        };
        match mounted {
            // EINVAL: a key or a value type that this kernel does not know. ENOSYS, EOPNOTSUPP: no such call.
            Err(e)
                if matches!(e.raw_os_error(), Some(nix::libc::EINVAL | nix::libc::ENOSYS | nix::libc::EOPNOTSUPP)) =>
            {
                last = Some(e);
            }
            other => return other.at(Stage::Root, || format!("mount overlay of {} layers ({tier:?})", lower.len())),
        }
    }
    let error = last.unwrap_or_else(|| io::Error::from_raw_os_error(nix::libc::EINVAL));
    Err(error).at(Stage::Root, || format!("mount overlay of {} layers", lower.len()))
}

impl<'a> Parts<'a> {
    fn open(lower: &'a [Place], upper: Option<&'a Place>, work: Option<&'a Place>) -> Result<Self, Failure> {
        let mut parts = Self { lower: Vec::with_capacity(lower.len()), upper, work, scaffold: None };
        for name in lower {
            let place = image::place(name.as_str())?;
            if let image::Place::Image(mounted) = &place {
                let scaffold = match &mut parts.scaffold {
                    Some(scaffold) => scaffold,
                    none => none.insert(Scaffold::new().at(Stage::Root, || "make a place for images")?),
                };
                scaffold.attach(mounted).at(Stage::Root, || format!("attach image {name}"))?;
            }
            parts.lower.push((name, place));
        }
        Ok(parts)
    }

    fn by_descriptors(&self, tier: OverlayTier) -> io::Result<OwnedFd> {
        let fs = mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        mount::fsconfig_set_string(fs.as_fd(), "source", "overlay")?;
        let set = |key: &str, folder: &OwnedFd| -> io::Result<()> {
            if tier == OverlayTier::Descriptor {
                mount::fsconfig_set_fd(fs.as_fd(), key, folder.as_fd())?;
            } else {
                mount::fsconfig_set_string(fs.as_fd(), key, number(folder))?;
            }
            Ok(())
        };
        // overlayfs takes the topmost first.
        for (_, image::Place::Folder(fd) | image::Place::Image(fd)) in self.lower.iter().rev() {
            set("lowerdir+", fd)?;
        }
        if let (Some(upper), Some(work)) = (self.upper, self.work) {
            set("upperdir", &resolve::in_area(upper.as_str())?)?;
            set("workdir", &resolve::in_area(work.as_str())?)?;
        }
        mount::fsconfig_create(fs.as_fd())?;
        Ok(mount::fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
    }

    /// `mount(2)` takes one page of options: names relative to the area, and numbers of images' descriptors, keep 127
    /// layers below it. The base layer's folder serves as the mount point: overlayfs holds private clones, so it does
    /// not see itself there. Images bring a place of their own.
    fn by_names(&self) -> io::Result<OwnedFd> {
        let Some((base, _)) = self.lower.first() else { return Err(Errno::INVAL.into()) };
        let names = self.lower.iter().rev().map(|(name, place)| match place {
            image::Place::Folder(_) => name.to_string(),
            image::Place::Image(fd) => number(fd),
        });
        let mut options = format!("lowerdir={}", names.collect::<Vec<_>>().join(":"));
        if let (Some(upper), Some(work)) = (self.upper, self.work) {
            options.push_str(&format!(",upperdir={},workdir={}", upper.as_str(), work.as_str()));
        }
        if options.len() >= 4096 {
            return Err(Errno::NAMETOOLONG.into());
        }
        let options = CString::new(options).map_err(|_| Errno::INVAL)?;
        let at =
            |target: &str| mount::mount("overlay", target, "overlay", MountFlags::empty(), Some(options.as_c_str()));
        match &self.scaffold {
            None => {
                at(base.as_str())?;
                resolve::in_area(base.as_str())
            }
            Some(scaffold) => {
                scaffold.folder(ROOT)?;
                at(&format!("{}/{ROOT}", number(scaffold.as_fd())))?;
                scaffold.open(ROOT)
            }
        }
    }
}

/// The name of a scaffold's folder that the root is mounted on; images have numbers.
const ROOT: &str = "root";

/// A descriptor as a path.
fn number(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}
