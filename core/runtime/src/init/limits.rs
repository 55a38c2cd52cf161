//! Resource limits and the out-of-memory score of the process.

use crate::failure::{At, Failure, Stage};
use nix::libc;
use oci_spec::runtime::{PosixRlimit, PosixRlimitType as Kind};
use rustix::fs::{Mode, OFlags};

/// Sets the limits; a soft limit above its hard limit is refused by the kernel.
pub(super) fn set(limits: &[PosixRlimit]) -> Result<(), Failure> {
    for limit in limits {
        davit_sys::process::set_limit(number(limit.typ()), limit.soft(), limit.hard())
            .at(Stage::Identity, || format!("set {} to {}:{}", limit.typ(), limit.soft(), limit.hard()))?;
    }
    Ok(())
}

/// Writes `oom_score_adj` while the host's procfs is still the one at `/proc`.
pub(crate) fn adjust_oom_score(score: Option<i32>) -> Result<(), Failure> {
    let Some(score) = score else { return Ok(()) };
    rustix::fs::open("/proc/self/oom_score_adj", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|file| rustix::io::write(&file, score.to_string().as_bytes()))
        .at(Stage::Identity, || format!("set oom_score_adj to {score}"))
        .map(|_| ())
}

fn number(kind: Kind) -> u32 {
    match kind {
        Kind::RlimitCpu => libc::RLIMIT_CPU,
        Kind::RlimitFsize => libc::RLIMIT_FSIZE,
        Kind::RlimitData => libc::RLIMIT_DATA,
        Kind::RlimitStack => libc::RLIMIT_STACK,
        Kind::RlimitCore => libc::RLIMIT_CORE,
        Kind::RlimitRss => libc::RLIMIT_RSS,
        Kind::RlimitNproc => libc::RLIMIT_NPROC,
        Kind::RlimitNofile => libc::RLIMIT_NOFILE,
        Kind::RlimitMemlock => libc::RLIMIT_MEMLOCK,
        Kind::RlimitAs => libc::RLIMIT_AS,
        Kind::RlimitLocks => libc::RLIMIT_LOCKS,
        Kind::RlimitSigpending => libc::RLIMIT_SIGPENDING,
        Kind::RlimitMsgqueue => libc::RLIMIT_MSGQUEUE,
        Kind::RlimitNice => libc::RLIMIT_NICE,
        Kind::RlimitRtprio => libc::RLIMIT_RTPRIO,
        Kind::RlimitRttime => libc::RLIMIT_RTTIME,
    }
}
