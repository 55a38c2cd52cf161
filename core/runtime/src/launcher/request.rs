//! The head of a request: 64 bytes of numbers, and what each descriptor that travels with it is for. The launcher looks
//! at nothing else; what has to be parsed is in a sealed memfd that only the forked child opens.

use std::io;
use std::os::fd::OwnedFd;

/// The head's length.
pub(crate) const HEAD: usize = 64;
const ROLES: usize = 32;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Start,
    Exec,
    Adopt,
}

/// What a descriptor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Spec,
    Report,
    RunDir,
    Log,
    Area,
    Netns,
    CgroupV2,
    Tasks,
    Seccomp,
    Stdio,
    /// A pidfd: the process to adopt, or whose namespaces to join.
    Target,
}

const ALL_ROLES: [Role; 11] = [
    Role::Spec,
    Role::Report,
    Role::RunDir,
    Role::Log,
    Role::Area,
    Role::Netns,
    Role::CgroupV2,
    Role::Tasks,
    Role::Seccomp,
    Role::Stdio,
    Role::Target,
];

/// How the monitor sets streams up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamKind {
    Given,
    Fifos,
    FifosWithStdin,
    Terminal,
}

/// The numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) streams: StreamKind,
    /// For `clone3`.
    pub(crate) clone_flags: u64,
    /// The process to adopt, as the host counts.
    pub(crate) pid: i32,
}

/// A request as it arrived.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) head: Head,
    pub(crate) fds: Vec<(Role, OwnedFd)>,
}

impl Head {
    pub(crate) fn encode(&self, roles: &[Role]) -> [u8; HEAD] {
        let mut out = [0; HEAD];
        let kind = match self.kind {
            Kind::Start => 1,
            Kind::Exec => 2,
            Kind::Adopt => 3,
        };
        let streams = match self.streams {
            StreamKind::Given => 0,
            StreamKind::Fifos => 1,
            StreamKind::FifosWithStdin => 2,
            StreamKind::Terminal => 3,
        };
        out[0] = kind;
        out[1] = streams;
        out[8..16].copy_from_slice(&self.clone_flags.to_le_bytes());
        out[16..20].copy_from_slice(&self.pid.to_le_bytes());
        for (slot, role) in out[HEAD - ROLES..].iter_mut().zip(roles) {
            *slot = ALL_ROLES.iter().position(|r| r == role).and_then(|n| u8::try_from(n + 1).ok()).unwrap_or(0);
        }
        out
    }
}

impl Request {
    pub(crate) fn decode(bytes: &[u8], fds: Vec<OwnedFd>) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        let head: &[u8; HEAD] = bytes.try_into().map_err(|_| invalid())?;
        let kind = match head[0] {
            1 => Kind::Start,
            2 => Kind::Exec,
            3 => Kind::Adopt,
            _ => return Err(invalid()),
        };
        let streams = match head[1] {
            0 => StreamKind::Given,
            1 => StreamKind::Fifos,
            2 => StreamKind::FifosWithStdin,
            3 => StreamKind::Terminal,
            _ => return Err(invalid()),
        };
        let clone_flags = u64::from_le_bytes(head[8..16].try_into().map_err(|_| invalid())?);
        let pid = i32::from_le_bytes(head[16..20].try_into().map_err(|_| invalid())?);
        let roles = &head[HEAD - ROLES..];
        if fds.len() > ROLES {
            return Err(invalid());
        }
        let fds = roles.iter().zip(fds).map(|(code, fd)| {
            let role = ALL_ROLES.get(usize::from(*code).wrapping_sub(1)).ok_or_else(invalid)?;
            Ok((*role, fd))
        });
        Ok(Self { head: Head { kind, streams, clone_flags, pid }, fds: fds.collect::<io::Result<_>>()? })
    }

    /// Takes the first descriptor with that role out.
    pub(crate) fn take(&mut self, role: Role) -> Option<OwnedFd> {
        let at = self.fds.iter().position(|(r, _)| *r == role)?;
        Some(self.fds.remove(at).1)
    }

    /// Takes all with that role out, in order.
    pub(crate) fn take_all(&mut self, role: Role) -> Vec<OwnedFd> {
        let (taken, rest) = std::mem::take(&mut self.fds).into_iter().partition(|(r, _)| *r == role);
        self.fds = rest;
        let taken: Vec<(Role, OwnedFd)> = taken;
        taken.into_iter().map(|(_, fd)| fd).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_survives_the_wire_and_garbage_is_refused() {
        let head = Head { kind: Kind::Exec, streams: StreamKind::Terminal, clone_flags: 1 << 40, pid: -7 };
        let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let mut request =
            Request::decode(&head.encode(&[Role::Stdio, Role::Spec, Role::Stdio]), vec![null(), null(), null()])
                .unwrap();
        assert_eq!(request.head, head);
        assert_eq!(request.take_all(Role::Stdio).len(), 2);
        assert!(request.take(Role::Spec).is_some() && request.take(Role::Spec).is_none());

        assert!(Request::decode(&[0; HEAD], vec![]).is_err());
        assert!(Request::decode(&head.encode(&[]), vec![null()]).is_err(), "a descriptor without a role");
        assert!(Request::decode(&[1; 3], vec![]).is_err());
    }
}
