//! The keys with which a client at a terminal leaves without ending what runs: `ctrl-p,ctrl-q` unless it says others.

use crate::failure::ApiError;
use std::borrow::Cow;

/// Finds the keys in a client's bytes. A beginning that does not go on is passed on late, never lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DetachKeys {
    keys: Vec<u8>,
    seen: usize,
}

impl Default for DetachKeys {
    fn default() -> Self {
        Self { keys: vec![16, 17], seen: 0 }
    }
}

impl DetachKeys {
    /// Reads `a,ctrl-b,…`; empty means the default.
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let keys: Option<Vec<u8>> = text.split(',').map(key).collect();
        match keys {
            Some(keys) => Ok(Self { keys, seen: 0 }),
            None => Err(ApiError::invalid(format!("Invalid detach keys ({text}) provided"))),
        }
    }

    /// What of `bytes` goes on to the process, and whether the client detached.
    pub(crate) fn filter<'a>(&mut self, bytes: &'a [u8]) -> (Cow<'a, [u8]>, bool) {
        if self.seen == 0 && !bytes.iter().any(|b| self.keys.first() == Some(b)) {
            return (bytes.into(), false);
        }
        let mut on = Vec::with_capacity(bytes.len() + self.seen);
        for byte in bytes {
            if self.keys.get(self.seen) != Some(byte) {
                on.extend_from_slice(self.keys.get(..self.seen).unwrap_or_default());
                self.seen = 0;
                if self.keys.first() != Some(byte) {
                    on.push(*byte);
                    continue;
                }
            }
            self.seen += 1;
            if self.seen == self.keys.len() {
                return (on.into(), true);
            }
        }
        (on.into(), false)
    }
}

/// One key: a letter, or `ctrl-` and one of `a` to `z`, `@`, `[`, `\`, `]`, `^`, `_`.
fn key(text: &str) -> Option<u8> {
    let single = |t: &str| t.bytes().next().filter(|_| t.len() == 1);
    match text.strip_prefix("ctrl-") {
        Some(letter) => match single(letter)? {
            c @ b'a'..=b'z' => Some(c - b'a' + 1),
            b'@' => Some(0),
            c @ b'['..=b'_' => Some(c - b'[' + 27),
            _ => None,
        },
        None => single(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_detach_and_half_of_them_pass() {
        let mut keys = DetachKeys::default();
        assert_eq!(keys.filter(b"ls\n"), (Cow::from(&b"ls\n"[..]), false));
        assert_eq!(keys.filter(b"a\x10"), (Cow::from(&b"a"[..]), false));
        assert_eq!(keys.filter(b"b\x10\x10c"), (Cow::from(&b"\x10b\x10\x10c"[..]), false));
        assert_eq!(keys.filter(b"x\x10\x11y"), (Cow::from(&b"x"[..]), true));
    }

    #[test]
    fn other_keys_are_read_as_clients_write_them() {
        assert_eq!(DetachKeys::parse("ctrl-a,d,ctrl-]").unwrap().keys, [1, b'd', 29]);
        for bad in ["ctrl-", "ab", "a,,b", "ctrl-é"] {
            assert!(DetachKeys::parse(bad).is_err(), "{bad}");
        }
    }
}
