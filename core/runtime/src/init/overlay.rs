//! Mounting overlayfs over many layers, in the three tiers that kernels from 5.10 to today need.

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
    let all = [OverlayTier::Descriptor, OverlayTier::ProcPath, OverlayTier::ShortNames];
    let mut last = None;
    for tier in all.into_iter().filter(|t| tier.is_none_or(|only| only == *t)) {
        let mounted = match tier {
            OverlayTier::ShortNames => by_names(lower, upper, work).map(Root::attached),
            OverlayTier::Descriptor | OverlayTier::ProcPath => {
                by_descriptors(lower, upper, work, tier).map(Root::detached)
            }
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

fn by_descriptors(
    lower: &[Place],
    upper: Option<&Place>,
    work: Option<&Place>,
    tier: OverlayTier,
) -> io::Result<OwnedFd> {
    let fs = mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    mount::fsconfig_set_string(fs.as_fd(), "source", "overlay")?;
    let set = |key: &str, place: &Place| -> io::Result<()> {
        let folder = resolve::in_area(place.as_str())?;
        if tier == OverlayTier::Descriptor {
            mount::fsconfig_set_fd(fs.as_fd(), key, folder.as_fd())?;
        } else {
            mount::fsconfig_set_string(fs.as_fd(), key, format!("/proc/self/fd/{}", folder.as_raw_fd()))?;
        }
        Ok(())
    };
    // overlayfs takes the topmost first.
    for place in lower.iter().rev() {
        set("lowerdir+", place)?;
    }
    if let (Some(upper), Some(work)) = (upper, work) {
        set("upperdir", upper)?;
        set("workdir", work)?;
    }
    mount::fsconfig_create(fs.as_fd())?;
    Ok(mount::fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
}

/// `mount(2)` takes one page of options: names relative to the area keep 127 layers below it. The base layer's folder
/// serves as the mount point: overlayfs holds private clones, so it does not see itself there.
fn by_names(lower: &[Place], upper: Option<&Place>, work: Option<&Place>) -> io::Result<OwnedFd> {
    let (Some(base), names) = (lower.first(), lower.iter().rev().map(Place::as_str).collect::<Vec<_>>()) else {
        return Err(Errno::INVAL.into());
    };
    let mut options = format!("lowerdir={}", names.join(":"));
    if let (Some(upper), Some(work)) = (upper, work) {
        options.push_str(&format!(",upperdir={},workdir={}", upper.as_str(), work.as_str()));
    }
    if options.len() >= 4096 {
        return Err(Errno::NAMETOOLONG.into());
    }
    let options = CString::new(options).map_err(|_| Errno::INVAL)?;
    mount::mount("overlay", base.as_str(), "overlay", MountFlags::empty(), Some(options.as_c_str()))?;
    resolve::in_area(base.as_str())
}
