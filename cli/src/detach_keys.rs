//! The keys that leave a container running behind: `ctrl-p,ctrl-q` unless said otherwise.

use crate::error::{Error, Result};

/// What is pressed to detach, where nothing else is said.
pub(crate) const DEFAULT: &str = "ctrl-p,ctrl-q";

/// Finds the sequence in what is typed. Keys that could begin it are held back until the next one decides.
#[derive(Clone, Debug)]
pub(crate) struct DetachKeys {
    keys: Vec<u8>,
    seen: usize,
}

/// What became of typed bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// These go to the container.
    Send(Vec<u8>),
    /// The sequence was complete; what came before it goes to the container.
    Detach(Vec<u8>),
}

impl DetachKeys {
    /// Reads `ctrl-a`, `ctrl-@`, `ctrl-[` … or single letters, with commas between them. Empty: no such keys.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let keys = text.split(',').filter(|_| !text.is_empty()).map(key).collect::<Option<Vec<u8>>>();
        let keys = keys.ok_or_else(|| {
            Error::usage(format!("invalid detach keys {text:?}: letters or ctrl-<letter>, with commas between them"))
        })?;
        Ok(Self { keys, seen: 0 })
    }

    pub(crate) fn feed(&mut self, typed: &[u8]) -> Typed {
        let mut send = Vec::with_capacity(typed.len());
        for byte in typed {
            if self.keys.get(self.seen) != Some(byte) {
                send.extend(self.keys.get(..self.seen).unwrap_or(&[]));
                self.seen = 0;
            }
            if self.keys.get(self.seen) == Some(byte) {
                self.seen += 1;
                if self.seen == self.keys.len() {
                    self.seen = 0;
                    return Typed::Detach(send);
                }
            } else {
                send.push(*byte);
            }
        }
        Typed::Send(send)
    }
}

fn key(text: &str) -> Option<u8> {
    let text = text.trim();
    match text.strip_prefix("ctrl-") {
        Some(name) => match name.as_bytes() {
            [letter @ (b'a'..=b'z' | b'A'..=b'Z' | b'@' | b'[' | b'\\' | b']' | b'^' | b'_')] => Some(letter & 0x1f),
            _ => None,
        },
        None => match text.as_bytes() {
            [byte] => Some(*byte),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_detaches_however_it_arrives() {
        let mut keys = DetachKeys::parse(DEFAULT).unwrap();
        assert_eq!(keys.feed(b"ls\x10"), Typed::Send(b"ls".to_vec()));
        assert_eq!(keys.feed(b"\x11"), Typed::Detach(Vec::new()));
    }

    #[test]
    fn keys_that_only_began_the_sequence_are_sent_after_all() {
        let mut keys = DetachKeys::parse(DEFAULT).unwrap();
        assert_eq!(keys.feed(b"\x10x\x10\x10"), Typed::Send(b"\x10x\x10".to_vec()));
        assert_eq!(keys.feed(b"\x11"), Typed::Detach(Vec::new()));
    }

    #[test]
    fn other_keys_can_be_chosen_and_rubbish_is_refused() {
        let mut keys = DetachKeys::parse("ctrl-a,d").unwrap();
        assert_eq!(keys.feed(b"\x01d"), Typed::Detach(Vec::new()));
        assert_eq!(DetachKeys::parse("").unwrap().feed(b"\x10\x11"), Typed::Send(b"\x10\x11".to_vec()));
        for text in ["ctrl-", "ctrl-10", "ab", ","] {
            assert!(DetachKeys::parse(text).is_err(), "{text}");
        }
    }
}
