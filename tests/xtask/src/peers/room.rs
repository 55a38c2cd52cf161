//! A thread that lives in the peers' root: a mount namespace of its own, with that root pivoted in. What it starts
//! lives there too, and is started and timed by this very program, as everything else is.

use anyhow::{Context as _, Result, anyhow};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    unistd::{chdir, pivot_root},
};
use std::{
    fs,
    path::Path,
    process::Command,
    sync::mpsc::{Sender, channel},
    thread,
};

/// Where the caller's folder is seen from inside.
pub(crate) const SHARED: &str = "/bench";

type Task = Box<dyn FnOnce() + Send>;

/// The thread; ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Room(Sender<Task>);

impl Room {
    /// Enters `root`; `shared` is seen there as [`SHARED`], and its `run` as `/run`.
    pub(crate) fn enter(root: &Path, shared: &Path) -> Result<Self> {
        let (tasks, queue) = channel::<Task>();
        let room = Self(tasks);
        let (root, shared) = (root.to_owned(), shared.to_owned());
        thread::Builder::new().name("peers".to_owned()).spawn(move || {
            while let Ok(task) = queue.recv() {
                task();
            }
        })?;
        room.within(move || furnish(&root, &shared))?;
        Ok(room)
    }

    /// Does something inside, and waits for it.
    pub(crate) fn within<T: Send + 'static>(&self, task: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let (tell, told) = channel();
        let task = move || drop(tell.send(task()));
        self.0.send(Box::new(task)).map_err(|_| anyhow!("the thread in the peers' root has ended"))?;
        told.recv().context("the thread in the peers' root gave no answer")?
    }

    /// A command with the environment that it has inside.
    pub(crate) fn command(words: &[&str]) -> Command {
        let mut words = words.iter();
        let mut command = Command::new(words.next().unwrap_or(&"true"));
        command.args(words).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/root");
        command
    }
}

/// Makes the calling thread's mount namespace, and pivots.
fn furnish(root: &Path, shared: &Path) -> Result<()> {
    let nothing = None::<&str>;
    let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
    unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).context("cannot make a mount namespace")?;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    mount(Some(root), root, nothing, bind, nothing)?;
    mount(Some("proc"), &root.join("proc"), Some("proc"), MsFlags::empty(), nothing)?;
    for name in ["sys", "dev"] {
        mount(Some(&Path::new("/").join(name)), &root.join(name), nothing, bind, nothing)?;
    }
    let run = shared.join("run");
    fs::create_dir_all(&run)?;
    mount(Some(&run), &root.join("run"), nothing, bind, nothing)?;
    let inside = root.join(SHARED.trim_start_matches('/'));
    fs::create_dir_all(&inside)?;
    mount(Some(shared), &inside, nothing, bind, nothing)?;
    chdir(root)?;
    pivot_root(".", ".").context("cannot pivot into the peers' root")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")?;
    // On a hybrid machine podman and crun take the version-2 hierarchy for the whole, and find no controllers in it.
    let unified = Path::new("/sys/fs/cgroup/unified");
    if unified.exists() {
        umount2(unified, MntFlags::MNT_DETACH).context("cannot hide the second hierarchy of control groups")?;
    }
    Ok(())
}
