//! Finds a custom section in a WebAssembly binary without understanding the rest (component model specification,
//! "Binary format": preamble, then sections of id, LEB128 size and content).

/// The section that holds `plugin.toml`.
pub(crate) const MANIFEST: &str = "davit:plugin";

/// `\0asm`, then the version and layer of a component.
const COMPONENT: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
const CORE_MODULE: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/// The content of the one custom section of this name at the component's own level.
pub(crate) fn custom<'a>(binary: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, String> {
    let mut found = None;
    for section in sections(binary)? {
        if let Some(body) = section.custom(name)?
            && found.replace(body).is_some()
        {
            return Err(format!("it has two sections {name}"));
        }
    }
    Ok(found)
}

/// The binary with this content in its custom section of that name, at its end; one that was there is gone.
pub(crate) fn with_custom(binary: &[u8], name: &str, content: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = COMPONENT.to_vec();
    for section in sections(binary)? {
        if section.custom(name)?.is_none() {
            out.extend_from_slice(section.whole);
        }
    }
    let mut body = leb128(name.len())?;
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    out.push(0);
    out.extend(leb128(body.len())?);
    out.extend(body);
    Ok(out)
}

/// One section at the component's own level.
struct Section<'a> {
    id: u8,
    /// With its head.
    whole: &'a [u8],
    content: &'a [u8],
}

impl<'a> Section<'a> {
    /// Its body, where it is the custom section of that name.
    fn custom(&self, name: &str) -> Result<Option<&'a [u8]>, String> {
        if self.id != 0 {
            return Ok(None);
        }
        let (title, body) = sized(self.content)?;
        Ok((title == name.as_bytes()).then_some(body))
    }
}

fn sections(binary: &[u8]) -> Result<Vec<Section<'_>>, String> {
    let mut rest = match binary.split_at_checked(8) {
        Some((head, rest)) if head == COMPONENT => rest,
        Some((head, _)) if head == CORE_MODULE => {
            return Err("it is a core WebAssembly module, not a component; wrap it with wit-component".to_owned());
        }
        _ => return Err("it is not WebAssembly".to_owned()),
    };
    let mut all = Vec::new();
    while let Some((id, after)) = rest.split_first() {
        let (content, next) = sized(after)?;
        let whole = rest.get(..rest.len() - next.len()).unwrap_or_default();
        all.push(Section { id: *id, whole, content });
        rest = next;
    }
    Ok(all)
}

/// A size as LEB128.
fn leb128(size: usize) -> Result<Vec<u8>, String> {
    let mut size = u32::try_from(size).map_err(|_| "it is too long".to_owned())?;
    let mut out = Vec::new();
    loop {
        let [low, ..] = (size & 0x7f).to_le_bytes();
        size >>= 7;
        if size == 0 {
            out.push(low);
            return Ok(out);
        }
        out.push(low | 0x80);
    }
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

    #[test]
    fn a_section_is_put_in_and_takes_the_place_of_its_kind() {
        let long = vec![b'x'; 300];
        let once = with_custom(&component(&[(1, b"abc"), (0, b"\x01nother")]), "m", b"first").unwrap();
        assert_eq!(custom(&once, "m").unwrap(), Some(&b"first"[..]));
        let twice = with_custom(&once, "m", &long).unwrap();
        assert_eq!(custom(&twice, "m").unwrap(), Some(long.as_slice()));
        assert_eq!(custom(&twice, "n").unwrap(), Some(&b"other"[..]), "what else there was is there");
        assert!(with_custom(b"\0asm\x01\0\0\0", "m", b"").unwrap_err().contains("core WebAssembly module"));
    }
}
