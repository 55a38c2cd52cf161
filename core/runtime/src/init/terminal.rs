//! The container's terminal: from its own devpts, its other side taken by descriptor, never by a name (CVE-2025-52565).

use super::channel::Channel;
use super::mounts::move_to;
use super::resolve::{self, TargetKind};
use super::root::Root;
use crate::failure::{At, Failure, Stage};
use rustix::fs::{OFlags, ResolveFlags};
use rustix::mount::OpenTreeFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Allocates a terminal, binds it on `/dev/console`, sends its master side to the monitor; the answer is the other side.
pub(super) fn allocate(root: &Root, channel: &Channel, rows: u16, cols: u16) -> Result<OwnedFd, Failure> {
    let (master, slave) = open(root.as_fd(), rows, cols).at(Stage::Streams, || "allocate a terminal from /dev/pts")?;
    bind_console(root, &slave).at(Stage::Streams, || "bind the terminal on /dev/console")?;
    channel.terminal(master.as_fd()).at(Stage::Streams, || "send the terminal to the monitor")?;
    Ok(slave)
}

/// The same in a container that runs already, whose console is another's.
pub(crate) fn allocate_in(root: BorrowedFd<'_>, channel: &Channel, rows: u16, cols: u16) -> Result<OwnedFd, Failure> {
    let (master, slave) = open(root, rows, cols).at(Stage::Streams, || "allocate a terminal from /dev/pts")?;
    channel.terminal(master.as_fd()).at(Stage::Streams, || "send the terminal to the monitor")?;
    Ok(slave)
}

/// A pair of the devpts that is mounted inside `root`.
fn open(root: BorrowedFd<'_>, rows: u16, cols: u16) -> io::Result<(OwnedFd, OwnedFd)> {
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let master = resolve::open(root, Path::new("/dev/pts/ptmx"), flags, how)?;
    rustix::pty::unlockpt(&master)?;
    let slave =
        rustix::pty::ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    if (rows, cols) != (0, 0) {
        let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&master, size)?;
    }
    Ok((master, slave))
}

fn bind_console(root: &Root, slave: &OwnedFd) -> io::Result<()> {
    let target = resolve::target(root.as_fd(), Path::new("/dev/console"), TargetKind::File)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let console = rustix::mount::open_tree(slave, "", flags)?;
    move_to(&console, target.as_fd())
}
