//! Architectures as seccomp sees them, and their system call numbers.

use oci_spec::runtime::Arch as OciArch;
use std::collections::HashMap;

/// An architecture with a table of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Arch {
    X86_64,
    X86,
    /// x86_64 with 32-bit pointers: the same audit value, numbers with bit 30 set.
    X32,
    Aarch64,
    Arm,
}

/// Bit 30 of an x32 number.
pub(super) const X32_BIT: u32 = 0x4000_0000;

impl Arch {
    /// The one that this binary is built for.
    pub(super) const NATIVE: Self = if cfg!(target_arch = "aarch64") { Self::Aarch64 } else { Self::X86_64 };

    /// None: an architecture whose programs cannot run here.
    pub(super) fn from_oci(arch: OciArch) -> Option<Self> {
        match arch {
            OciArch::ScmpArchNative => Some(Self::NATIVE),
            OciArch::ScmpArchX86_64 => Some(Self::X86_64),
            OciArch::ScmpArchX86 => Some(Self::X86),
            OciArch::ScmpArchX32 => Some(Self::X32),
            OciArch::ScmpArchAarch64 => Some(Self::Aarch64),
            OciArch::ScmpArchArm => Some(Self::Arm),
            _ => None,
        }
    }

    /// `AUDIT_ARCH_*` of `linux/audit.h`.
    pub(super) fn audit(self) -> u32 {
        match self {
            Self::X86_64 | Self::X32 => 0xc000_003e,
            Self::X86 => 0x4000_0003,
            Self::Aarch64 => 0xc000_00b7,
            Self::Arm => 0x4000_0028,
        }
    }

    /// Whether only the lower halves of arguments count.
    pub(super) fn is_32_bit(self) -> bool {
        matches!(self, Self::X86 | Self::X32 | Self::Arm)
    }

    fn column(self) -> usize {
        match self {
            Self::X86_64 => 0,
            Self::X86 => 1,
            Self::X32 => 2,
            Self::Aarch64 => 3,
            Self::Arm => 4,
        }
    }
}

/// Numbers by name, of all architectures.
pub(super) struct Table(HashMap<&'static str, [Option<u32>; 5]>);

impl Table {
    pub(super) fn load() -> Self {
        let lines = include_str!("data/syscalls.txt").lines().filter(|l| !l.starts_with('#'));
        Self(
            lines
                .filter_map(|line| {
                    let mut fields = line.split(' ');
                    let name = fields.next()?;
                    let mut row = [None; 5];
                    for (slot, field) in row.iter_mut().zip(fields) {
                        *slot = field.parse().ok();
                    }
                    Some((name, row))
                })
                .collect(),
        )
    }

    /// x32 numbers come with their bit.
    pub(super) fn number(&self, name: &str, arch: Arch) -> Option<u32> {
        let number = self.0.get(name)?.get(arch.column()).copied().flatten()?;
        Some(if arch == Arch::X32 { number | X32_BIT } else { number })
    }
}

/// The old way to some calls on x86: one system call with the real one's number as its first argument
/// (`socketcall(2)`, `ipc(2)`).
pub(super) fn multiplexed(name: &str) -> Option<(&'static str, u32)> {
    const SOCKET: [&str; 20] = [
        "socket",
        "bind",
        "connect",
        "listen",
        "accept",
        "getsockname",
        "getpeername",
        "socketpair",
        "send",
        "recv",
        "sendto",
        "recvfrom",
        "shutdown",
        "setsockopt",
        "getsockopt",
        "sendmsg",
        "recvmsg",
        "accept4",
        "recvmmsg",
        "sendmmsg",
    ];
    if let Some(at) = SOCKET.iter().position(|n| *n == name) {
        return Some(("socketcall", u32::try_from(at).ok()? + 1));
    }
    let call = match name {
        "semop" => 1,
        "semget" => 2,
        "semctl" => 3,
        "semtimedop" => 4,
        "msgsnd" => 11,
        "msgrcv" => 12,
        "msgget" => 13,
        "msgctl" => 14,
        "shmat" => 21,
        "shmdt" => 22,
        "shmget" => 23,
        "shmctl" => 24,
        _ => return None,
    };
    Some(("ipc", call))
}
