//! Where the hierarchies are mounted for this process, and where in them it is itself.
//!
//! A line of `/proc/self/cgroup` names a hierarchy and our place in it; the mount that serves it is the one of
//! `/proc/self/mountinfo` whose super options carry the same controllers. Inside a container the mount's root is not
//! `/`: our place is then told relative to that root.

use super::{CgroupError, file};
use std::{
    fs,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
};

/// Which generations of control groups a machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One hierarchy for each controller or two.
    V1,
    /// As [`Mode::V1`], and a v2 hierarchy beside, with the controllers that no v1 hierarchy took.
    Hybrid,
    /// One hierarchy for everything.
    Unified,
}

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// v1 controllers, or a name as `name=systemd`; empty for v2.
    pub(super) controllers: Vec<String>,
    /// Where it is mounted.
    pub(super) point: PathBuf,
    /// Where this process is in it, relative to the mount's root; no leading slash.
    pub(super) own: String,
}

impl Hierarchy {
    pub(super) fn is_v2(&self) -> bool {
        self.controllers.is_empty()
    }

    pub(super) fn name(&self) -> String {
        if self.is_v2() { "unified".to_owned() } else { self.controllers.join(",") }
    }

    pub(super) fn open(&self) -> Result<OwnedFd, CgroupError> {
        let point = self.point.to_string_lossy();
        file::open_dir(rustix::fs::CWD.as_fd(), &point).map_err(|source| CgroupError::Make {
            path: point.into_owned(),
            hierarchy: self.name(),
            source,
        })
    }
}

/// Every hierarchy that this process sees. v1 ones first, in the kernel's order; the v2 one, where mounted, last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchies(pub(super) Vec<Hierarchy>);

impl Hierarchies {
    /// Reads this process's own view.
    pub fn detect() -> Result<Self, CgroupError> {
        let read = |path| fs::read_to_string(path).map_err(|e| CgroupError::Detect(path, e));
        Self::parse(&read("/proc/self/mountinfo")?, &read("/proc/self/cgroup")?)
    }

    pub(super) fn parse(mountinfo: &str, own: &str) -> Result<Self, CgroupError> {
        let mounts: Vec<Mount> = mountinfo.lines().filter_map(Mount::parse).collect();
        let mut found = Vec::new();
        for line in own.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(place)) = (fields.next(), fields.next()) else { continue };
            let controllers: Vec<String> =
                controllers.split(',').filter(|c| !c.is_empty()).map(str::to_owned).collect();
            let serving = mounts
                .iter()
                .filter(|m| m.v2 == controllers.is_empty() && controllers.iter().all(|c| m.options.contains(c)));
            // Of several mounts of one hierarchy, the one that shows us; else any.
            let Some(mount) = serving.clone().find(|m| beneath(&m.root, place).is_some()).or(serving.clone().next())
            else {
                continue;
            };
            let own = beneath(&mount.root, place).unwrap_or_default().to_owned();
            found.push(Hierarchy { controllers, point: mount.point.clone(), own });
        }
        if found.is_empty() {
            return Err(CgroupError::NoHierarchy);
        }
        found.sort_by_key(Hierarchy::is_v2);
        Ok(Self(found))
    }

    /// This process's own group in each hierarchy, with the controllers (or the name, as `name=systemd`) joined by commas;
    /// nothing for v2.
    pub(crate) fn own_groups(&self) -> Result<Vec<(String, OwnedFd)>, CgroupError> {
        let open = |hierarchy: &Hierarchy| {
            let mut dir = hierarchy.open()?;
            for part in hierarchy.own.split('/').filter(|p| !p.is_empty()) {
                dir = file::open_dir(dir.as_fd(), part)
                    .map_err(|source| CgroupError::Read { file: part.to_owned(), source })?;
            }
            Ok((hierarchy.controllers.join(","), dir))
        };
        self.0.iter().map(open).collect()
    }

    /// Which generations there are. A named v1 hierarchy without controllers (systemd's) does not count.
    pub fn mode(&self) -> Mode {
        let v1 = self.0.iter().any(|h| h.controllers.iter().any(|c| !c.starts_with("name=")));
        let v2 = self.0.iter().any(Hierarchy::is_v2);
        match (v1, v2) {
            (true, true) => Mode::Hybrid,
            (false, true) => Mode::Unified,
            (_, false) => Mode::V1,
        }
    }
}

/// `place` relative to `root`, where it is in it.
fn beneath<'a>(root: &str, place: &'a str) -> Option<&'a str> {
    let rest = if root == "/" { place } else { place.strip_prefix(root)? };
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
}

struct Mount {
    v2: bool,
    root: String,
    point: PathBuf,
    options: Vec<String>,
}

impl Mount {
    /// `id parent dev root point options [tags] - type source super-options`.
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let v2 = match after.next()? {
            "cgroup" => false,
            "cgroup2" => true,
            _ => return None,
        };
        let options = after.nth(1)?.split(',').map(str::to_owned).collect();
        let mut before = before.split(' ').skip(3);
        Some(Self { v2, root: unescape(before.next()?), point: unescape(before.next()?).into(), options })
    }
}

/// `mountinfo` writes space, tab, newline and backslash as three octal digits.
fn unescape(text: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"]
        .iter()
        .zip([" ", "\t", "\n", "\\"])
        .fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain))
}
