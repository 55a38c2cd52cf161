//! A container's control group: one directory in every hierarchy, made, opened, joined and removed together.

use super::{
    CgroupError, Hierarchies,
    detect::Hierarchy,
    devices, file,
    limits::{self, Limits},
    v1::V1,
    v2::V2,
};
use oci_spec::runtime::LinuxResources;
use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

/// How often a group is made anew because a parent was pruned meanwhile.
const MAX_TRIES: u32 = 32;

/// What a child needs to join; opened beforehand, so that the child makes one `write` a hierarchy and nothing else.
#[derive(Debug)]
pub struct Joins {
    /// v1 `tasks` files, open for writing: the single-threaded child writes `0` to each.
    pub tasks: Vec<OwnedFd>,
    /// The v2 directory for `CLONE_INTO_CGROUP`.
    pub unified: Option<OwnedFd>,
}

#[derive(Debug)]
pub(super) struct Place {
    pub(super) controllers: Vec<String>,
    pub(super) dir: OwnedFd,
}

/// A control group in all hierarchies. Dropping it leaves the group in the kernel; [`Hierarchies::remove`] ends it.
#[derive(Debug)]
pub struct Group {
    pub(super) path: String,
    pub(super) v1: Vec<Place>,
    pub(super) v2: Option<OwnedFd>,
}

impl Hierarchies {
    /// Makes the group `path` with the limits of `resources`. An absolute path is relative to each hierarchy's mount, any other to
    /// this process's own group. Missing parents are made. On an error nothing new is left behind, parents aside.
    pub fn create(&self, path: &str, resources: &LinuxResources) -> Result<Group, CgroupError> {
        let mut tries = 1..MAX_TRIES;
        let made = loop {
            match self.walk(path, true) {
                // Someone pruned a parent between its making and ours beneath it.
                Err(e) if e.is_gone() && tries.next().is_some() => {}
                other => break other,
            }
        };
        let group = match made {
            Ok(group) => group,
            Err(e) => {
                let _ = self.remove(path, Duration::ZERO);
                return Err(e);
            }
        };
        group.finish(self, resources)
    }

    /// Opens a group that exists. Hierarchies that lack it are left out; with none left: not found.
    pub fn open(&self, path: &str) -> Result<Group, CgroupError> {
        self.walk(path, false)
    }

    fn walk(&self, path: &str, make: bool) -> Result<Group, CgroupError> {
        let mut group = Group { path: path.to_owned(), v1: Vec::new(), v2: None };
        for hierarchy in &self.0 {
            let failed = |source| CgroupError::Make { path: path.to_owned(), hierarchy: hierarchy.name(), source };
            let mut dir = hierarchy.open()?;
            let parts = components(hierarchy, path)?;
            let mut missing = false;
            for part in &parts {
                if make {
                    if hierarchy.is_v2() {
                        delegate(dir.as_fd());
                    }
                    let child = file::make_dir(dir.as_fd(), part).map_err(failed)?;
                    if hierarchy.controllers.iter().any(|c| c == "cpuset") {
                        inherit_cpuset(dir.as_fd(), child.as_fd())?;
                    }
                    dir = child;
                    continue;
                }
                match file::open_dir(dir.as_fd(), part) {
                    Ok(child) => dir = child,
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {
                        missing = true;
                        break;
                    }
                    Err(e) => return Err(failed(e)),
                }
            }
            if missing {
                continue;
            }
            if hierarchy.is_v2() {
                group.v2 = Some(dir);
            } else {
                group.v1.push(Place { controllers: hierarchy.controllers.clone(), dir });
            }
        }
        if group.v1.is_empty() && group.v2.is_none() {
            return Err(CgroupError::Make {
                path: path.to_owned(),
                hierarchy: "any".to_owned(),
                source: io::Error::from(io::ErrorKind::NotFound),
            });
        }
        Ok(group)
    }

    /// Removes the group and those below it everywhere. Waits until `patience` for processes on their way out; fine where
    /// nothing is there. Parents stay: [`Hierarchies::prune`].
    pub fn remove(&self, path: &str, patience: Duration) -> Result<(), CgroupError> {
        let start = Instant::now();
        let mut nap = Duration::from_micros(200);
        loop {
            let mut busy = false;
            for hierarchy in &self.0 {
                busy |= !remove_in(hierarchy, path)?;
            }
            if !busy {
                return Ok(());
            }
            if start.elapsed() >= patience {
                let seconds = patience.as_secs_f64();
                return Err(CgroupError::Deadline { path: path.to_owned(), problem: "is still busy", seconds });
            }
            std::thread::sleep(nap);
            nap = (nap * 2).min(Duration::from_millis(20));
        }
    }

    /// Removes `path` itself where nothing is in it: for the parent that an engine's groups share.
    pub fn prune(&self, path: &str) -> Result<(), CgroupError> {
        for hierarchy in &self.0 {
            let Some((parent, name)) = parent_of(hierarchy, path)? else { continue };
            match unlinkat(&parent, name.as_str(), AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT | Errno::BUSY | Errno::NOTEMPTY) => {}
                Err(e) => return Err(CgroupError::Remove { path: path.to_owned(), source: e.into() }),
            }
        }
        Ok(())
    }
}

impl Group {
    fn finish(self, all: &Hierarchies, resources: &LinuxResources) -> Result<Self, CgroupError> {
        let rules = resources.devices().as_deref().unwrap_or_default();
        if let Err(e) = self.update(resources).and_then(|()| devices::apply(&self, rules)) {
            let _ = all.remove(&self.path, Duration::ZERO);
            return Err(e);
        }
        Ok(self)
    }

    /// The path that it was made with.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Changes limits. Fields that are absent stay as they are; devices are fixed at creation.
    pub fn update(&self, resources: &LinuxResources) -> Result<(), CgroupError> {
        limits::apply(self, resources)
    }

    /// Fresh descriptors for a child to join with.
    pub fn joins(&self) -> Result<Joins, CgroupError> {
        let failed = |file: &str| {
            let file = file.to_owned();
            move |e: Errno| CgroupError::Read { file, source: e.into() }
        };
        let tasks = self
            .v1
            .iter()
            .map(|p| openat(&p.dir, "tasks", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).map_err(failed("tasks")));
        let unified = self.v2.as_ref().map(|d| {
            openat(d, ".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(failed("."))
        });
        Ok(Joins { tasks: tasks.collect::<Result<_, _>>()?, unified: unified.transpose()? })
    }

    /// Where a v1 controller's files are, if it is a v1 controller here.
    pub(super) fn v1_dir(&self, controller: &str) -> Option<BorrowedFd<'_>> {
        self.v1.iter().find(|p| p.controllers.iter().any(|c| c == controller)).map(|p| p.dir.as_fd())
    }

    /// Who writes limits of `controller` here.
    pub(super) fn limits(&self, controller: &str) -> Option<Box<dyn Limits + '_>> {
        if let Some(dir) = self.v1_dir(controller) {
            return Some(Box::new(V1 { dir }));
        }
        let dir = self.v2.as_ref()?.as_fd();
        let has = file::read_raw(dir, "cgroup.controllers").ok()?;
        has.split_whitespace().any(|c| c == v2_name(controller)).then(|| Box::new(V2 { dir }) as Box<dyn Limits>)
    }
}

fn v2_name(controller: &str) -> &str {
    if controller == "blkio" { "io" } else { controller }
}

/// The directories from the mount down to `path`.
fn components(hierarchy: &Hierarchy, path: &str) -> Result<Vec<String>, CgroupError> {
    let own = if path.starts_with('/') { "" } else { hierarchy.own.as_str() };
    let below = path.strip_prefix('/').unwrap_or(path);
    if below.is_empty() || below.split('/').any(|p| p.is_empty() || p == "." || p == ".." || p.contains('\0')) {
        return Err(CgroupError::Path(path.to_owned()));
    }
    Ok(own.split('/').filter(|p| !p.is_empty()).chain(below.split('/')).map(str::to_owned).collect())
}

/// Hands every controller that a v2 group has to its children. A controller that refuses (threads, processes in the
/// group, a mode that does not allow it) is left: a limit that needs it then says so.
fn delegate(dir: BorrowedFd<'_>) {
    let read = |f| file::read_raw(dir, f).unwrap_or_default();
    let (have, given) = (read("cgroup.controllers"), read("cgroup.subtree_control"));
    let given: Vec<&str> = given.split_whitespace().collect();
    for controller in have.split_whitespace().filter(|c| !given.contains(c)) {
        let _ = file::write_raw(dir, "cgroup.subtree_control", &format!("+{controller}"));
    }
}

/// A new v1 cpuset is empty, and an empty one cannot be joined.
fn inherit_cpuset(parent: BorrowedFd<'_>, child: BorrowedFd<'_>) -> Result<(), CgroupError> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if file::read(child, file)?.trim().is_empty() {
            file::write(child, file, file::read(parent, file)?.trim())?;
        }
    }
    Ok(())
}

fn parent_of(hierarchy: &Hierarchy, path: &str) -> Result<Option<(OwnedFd, String)>, CgroupError> {
    let mut parts = components(hierarchy, path)?;
    let Some(name) = parts.pop() else { return Ok(None) };
    let mut dir = hierarchy.open()?;
    for part in &parts {
        match file::open_dir(dir.as_fd(), part) {
            Ok(child) => dir = child,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CgroupError::Remove { path: path.to_owned(), source }),
        }
    }
    Ok(Some((dir, name)))
}

/// Whether the group is gone from this hierarchy.
fn remove_in(hierarchy: &Hierarchy, path: &str) -> Result<bool, CgroupError> {
    let Some((parent, name)) = parent_of(hierarchy, path)? else { return Ok(true) };
    remove_tree(parent.as_fd(), &name, 0).map_err(|source| CgroupError::Remove { path: path.to_owned(), source })
}

fn remove_tree(parent: BorrowedFd<'_>, name: &str, depth: u32) -> io::Result<bool> {
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => return Ok(true),
        Err(Errno::BUSY | Errno::NOTEMPTY) if depth < MAX_DEPTH => {}
        Err(Errno::BUSY | Errno::NOTEMPTY) => return Ok(false),
        Err(e) => return Err(e.into()),
    }
    let dir = match file::open_dir(parent, name) {
        Ok(dir) => dir,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(e) => return Err(e),
    };
    let children = file::children(dir.as_fd())?;
    if children.is_empty() {
        return Ok(false);
    }
    let mut empty = true;
    for child in children {
        empty &= remove_tree(dir.as_fd(), &child, depth + 1)?;
    }
    if !empty {
        return Ok(false);
    }
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::BUSY | Errno::NOTEMPTY) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// A container may nest groups; deeper than this is left to the next try, one level less deep each time.
pub(super) const MAX_DEPTH: u32 = 64;
