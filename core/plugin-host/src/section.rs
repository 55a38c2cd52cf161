//! Finds a custom section in a WebAssembly binary without understanding the rest (component model specification,
//! "Binary format": preamble, then sections of id, LEB128 size and content).

/// The section that holds `plugin.toml`.
pub(crate) const MANIFEST: &str = "davit:plugin";

/// `\0asm`, then the version and layer of a component.
const COMPONENT: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
const CORE_MODULE: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/// The content of the one custom section of this name at the component's own level.
pub(crate) fn custom<'a>(binary: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, String> {
    let mut rest = match binary.split_at_checked(8) {
        Some((head, rest)) if head == COMPONENT => rest,
        Some((head, _)) if head == CORE_MODULE => {
            return Err("it is a core WebAssembly module, not a component; wrap it with wit-component".to_owned());
        }
        _ => return Err("it is not WebAssembly".to_owned()),
    };
    let mut found = None;
    while let Some((id, after)) = rest.split_first() {
        let (content, after) = sized(after)?;
        if *id == 0 {
            let (title, body) = sized(content)?;
            if title == name.as_bytes() && found.replace(body).is_some() {
                return Err(format!("it has two sections {name}"));
            }
        }
        rest = after;
    }
    Ok(found)
}

/// A LEB128 size, so many bytes, and what follows.
fn sized(bytes: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let cut = || "it is truncated".to_owned();
    let mut size = 0u64;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        size |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let rest = bytes.get(index + 1..).unwrap_or_default();
            let size = usize::try_from(size).map_err(|_| cut())?;
            return rest.split_at_checked(size).ok_or_else(cut);
        }
    }
    Err(cut())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(sections: &[(u8, &[u8])]) -> Vec<u8> {
        let mut binary = COMPONENT.to_vec();
        for (id, content) in sections {
            binary.push(*id);
            binary.push(u8::try_from(content.len()).unwrap());
            binary.extend_from_slice(content);
        }
        binary
    }

    #[test]
    fn the_section_is_found_behind_others() {
        let binary = component(&[(7, b"xyz"), (0, b"\x05otherbody"), (0, b"\x03thebody")]);
        assert_eq!(custom(&binary, "the").unwrap(), Some(&b"body"[..]));
        assert_eq!(custom(&binary, "none").unwrap(), None);
        assert!(custom(&component(&[(0, b"\x03thea"), (0, b"\x03theb")]), "the").is_err());
    }

    #[test]
    fn every_prefix_of_a_binary_is_refused_or_read_without_a_panic() {
        let binary = component(&[(7, b"xyz"), (0, b"\x03thebody")]);
        for length in 0..binary.len() {
            let _outcome = custom(&binary[..length], "the");
        }
        assert!(custom(b"#!/bin/sh", "the").unwrap_err().contains("not WebAssembly"));
        assert!(custom(&CORE_MODULE, "the").unwrap_err().contains("core"));
    }
}
