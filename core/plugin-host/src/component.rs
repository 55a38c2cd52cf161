//! A component's file, as far as it is read: whoever is handed a device, a pipe or a file without end stops in time.

use std::{fs::File, io::Read as _, path::Path};

/// The largest component that is taken.
pub(crate) const LARGEST: u64 = 64 << 20;

/// A component's bytes.
///
/// # Errors
/// Why the file is not read, in words that follow its name.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    let unread = |e: std::io::Error| format!("it cannot be read: {e}");
    let large = |size: u64| format!("it has {size} bytes or more, and a component has {LARGEST} at most");
    // Asked before it is opened: to open a pipe is to wait for who writes to it.
    let is = std::fs::metadata(path).map_err(unread)?;
    if !is.is_file() {
        return Err("it is no regular file".to_owned());
    }
    if is.len() > LARGEST {
        return Err(large(is.len()));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(unread)?;
    // It grew meanwhile, or its size was no word of its own, as in /proc.
    if bytes.len() as u64 > LARGEST { Err(large(LARGEST + 1)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::Mode;

    #[test]
    fn devices_pipes_folders_and_files_without_end_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        for path in [Path::new("/dev/zero"), dir.path(), &pipe] {
            assert_eq!(read(path).unwrap_err(), "it is no regular file", "{}", path.display());
        }
        let file = dir.path().join("file");
        File::create(&file).unwrap().set_len(LARGEST + 1).unwrap();
        assert_eq!(read(&file).unwrap_err(), "it has 67108865 bytes or more, and a component has 67108864 at most");
        std::fs::write(&file, b"\0asm").unwrap();
        assert_eq!(read(&file).unwrap(), b"\0asm");
    }
}
