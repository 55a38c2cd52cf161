//! The tag that tells the objects of one daemon from those of another, and the names made with it.

use crate::error::{NetError, Result};
use std::fmt;

/// The kernel's limit for a link's name without the NUL (`IFNAMSIZ` - 1).
const LINK_NAME: usize = 15;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A daemon's tag: 4 to 6 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Instance(String);

/// What a link is for; the first letters of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A network's bridge.
    Bridge,
    /// The host's end of a veth pair.
    Veth,
    /// A VLAN or VXLAN port of a network's bridge.
    Uplink,
}

impl Role {
    fn letters(self) -> &'static str {
        match self {
            Self::Bridge => "dv",
            Self::Veth => "ve",
            Self::Uplink => "dx",
        }
    }
}

impl Instance {
    /// Checks a tag.
    pub fn new(tag: &str) -> Result<Self> {
        let digits = tag.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if digits && (4..=6).contains(&tag.len()) {
            Ok(Self(tag.to_owned()))
        } else {
            Err(NetError::Plan(format!("{tag:?} is no instance tag of 4 to 6 hexadecimal digits")))
        }
    }

    /// The tag of a data root: six digits of a hash of its path.
    pub fn of_root(path: &std::path::Path) -> Self {
        use std::os::unix::ffi::OsStrExt;
        Self(format!("{:06x}", hash(path.as_os_str().as_bytes()) & 0xff_ffff))
    }

    /// The name of the instance's nftables table.
    pub fn table(&self) -> String {
        format!("davit-{}", self.0)
    }

    /// The name of the link with `role` for the object `id`: the prefix and as much of a hash as fits.
    pub(crate) fn link(&self, role: Role, id: &str) -> String {
        let mut name = self.prefix(role);
        let mut bits = hash(id.as_bytes());
        while name.len() < LINK_NAME {
            let digit = usize::try_from(bits % 32).unwrap_or(0);
            name.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'a')));
            bits /= 32;
        }
        name
    }

    /// What the names of all links with `role` begin with.
    pub(crate) fn prefix(&self, role: Role) -> String {
        format!("{}{}-", role.letters(), self.0)
    }

    /// Whether a link's name is one of this instance's.
    pub(crate) fn owns(&self, name: &str) -> bool {
        [Role::Bridge, Role::Veth, Role::Uplink].into_iter().any(|role| name.starts_with(&self.prefix(role)))
    }

    /// 40 bits for the instance's own IPv6 prefix (RFC 4193, 3.2.2).
    pub(crate) fn ula_bits(&self) -> u64 {
        hash(format!("ula {}", self.0).as_bytes()) & 0xff_ffff_ffff
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// FNV-1a, 64 bits, with a last mix: names only, nothing depends on its strength.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let sum = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    (sum ^ (sum >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_carry_the_tag() -> Result<()> {
        for tag in ["ab12", "ab12c", "ab12cd"] {
            let name = Instance::new(tag)?.link(Role::Bridge, "net");
            assert_eq!(name.len(), LINK_NAME);
            assert!(name.starts_with(&format!("dv{tag}-")), "{name}");
        }
        Ok(())
    }

    #[test]
    fn a_tag_that_is_no_hexadecimal_is_refused() {
        for tag in ["", "abc", "abcdef0", "ABCD", "../.", "ab-d"] {
            assert!(Instance::new(tag).is_err(), "{tag}");
        }
    }
}
