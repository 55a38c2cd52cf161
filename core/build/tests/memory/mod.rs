//! A keeper of images in memory, and archives to build from.

#![allow(clippy::unwrap_used, reason = "a test fails where its own tools do")]
use async_trait::async_trait;
use davit_build::{Base, Descriptor, Failure, Finished, Images, Layer, Line, Options, Put, build};
use davit_model::{digest::Digest, reference::Reference};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, Cursor, Read, Seek, SeekFrom, Write},
    sync::{Arc, Mutex},
};

#[derive(Debug, Default)]
struct Kept {
    blobs: HashMap<Digest, Vec<u8>>,
    images: BTreeMap<String, (Vec<u8>, Vec<Layer>)>,
    lines: Vec<Line>,
    manifest: Vec<u8>,
}

/// Images in memory.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Kept>);

#[async_trait]
impl Images for Memory {
    async fn base(&self, reference: &Reference, _pull: bool) -> Result<Base, Failure> {
        let kept = self.0.lock().unwrap();
        let (config, layers) = kept.images.get(&reference.familiar()).ok_or("no such image")?.clone();
        Ok(Base { id: digest(&config), config, layers })
    }

    fn open_layer(&self, layer: &Layer) -> io::Result<Box<dyn Read + Send>> {
        let kept = self.0.lock().unwrap();
        let blob = kept.blobs.get(&layer.descriptor.digest).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(blob.clone())))
    }

    fn scratch(&self) -> io::Result<File> {
        tempfile::tempfile()
    }

    async fn put_layer(&self, mut file: File, diff_id: &Digest, size: u64) -> Result<Put, Failure> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut bytes)?;
        assert_eq!((bytes.len() as u64, &digest(&bytes)), (size, diff_id), "the builder knows what it wrote");
        let known = self.0.lock().unwrap().blobs.insert(diff_id.clone(), bytes).is_some();
        Ok(Put { descriptor: descriptor(diff_id, size), known })
    }

    async fn tagged(&self, reference: &Reference) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.0.lock().unwrap().images.get(&reference.familiar()).map(|(config, _)| config.clone()))
    }

    async fn commit(&self, image: Finished) -> Result<Digest, Failure> {
        let mut kept = self.0.lock().unwrap();
        for tag in image.tags {
            kept.images.insert(tag.familiar(), (image.config.clone(), image.layers.clone()));
        }
        kept.manifest = image.manifest;
        Ok(digest(&image.config))
    }

    fn progress(&self, line: Line) {
        self.0.lock().unwrap().lines.push(line);
    }
}

impl Memory {
    /// Adds an image of one layer.
    pub(crate) fn image(&self, name: &str, layers: &[Vec<u8>], settings: Value) {
        let mut kept = self.0.lock().unwrap();
        let mut list = Vec::new();
        for bytes in layers {
            let diff_id = digest(bytes);
            kept.blobs.insert(diff_id.clone(), bytes.clone());
            list.push(Layer { descriptor: descriptor(&diff_id, bytes.len() as u64), diff_id });
        }
        let diff_ids: Vec<&Digest> = list.iter().map(|l| &l.diff_id).collect();
        let config = serde_json::json!({
            "architecture": "amd64", "os": "linux", "config": settings,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        kept.images.insert(name.to_owned(), (config.to_string().into_bytes(), list));
    }

    /// The text of all lines since the last call.
    pub(crate) fn said(&self) -> String {
        let lines = std::mem::take(&mut self.0.lock().unwrap().lines);
        lines.into_iter().filter_map(|l| if let Line::Text(t) = l { Some(t) } else { None }).collect()
    }

    /// The last manifest.
    pub(crate) fn manifest(&self) -> Value {
        serde_json::from_slice(&self.0.lock().unwrap().manifest).unwrap()
    }

    /// The configuration of an image.
    pub(crate) fn config(&self, name: &str) -> Value {
        serde_json::from_slice(&self.0.lock().unwrap().images[name].0).unwrap()
    }

    /// The entries of an image's layers: `path type mode uid:gid content`, layers apart.
    pub(crate) fn entries(&self, name: &str) -> Vec<Vec<String>> {
        let kept = self.0.lock().unwrap();
        kept.images[name].1.iter().map(|l| list(&kept.blobs[&l.diff_id])).collect()
    }
}

fn list(archive: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(archive);
    let entry = |entry: io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let header = entry.header();
        let mode = format!("{:o} {}:{}", header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap());
        let link = entry.link_name_bytes().map(|l| String::from_utf8(l.into_owned()).unwrap()).unwrap_or_default();
        match entry.header().entry_type() {
            tar::EntryType::Directory => format!("{path} {mode}"),
            tar::EntryType::Symlink => format!("{path} -> {link}"),
            tar::EntryType::Link => format!("{path} == {link}"),
            _ => {
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                format!("{path} {mode} {text}")
            }
        }
    };
    archive.entries().unwrap().map(entry).collect()
}

fn digest(bytes: &[u8]) -> Digest {
    use sha2::Digest as _;
    Digest::sha256(&sha2::Sha256::digest(bytes).into())
}

fn descriptor(diff_id: &Digest, size: u64) -> Descriptor {
    let media_type = "application/vnd.oci.image.layer.v1.tar".to_owned();
    Descriptor { media_type, digest: diff_id.clone(), size }
}

/// An archive in the making. Names are written as they are, also those that no honest tool writes.
pub(crate) struct Tar(tar::Builder<Vec<u8>>);

impl Tar {
    pub(crate) fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    fn entry(mut self, name: &str, kind: tar::EntryType, mode: u32, link: &str, bytes: &[u8]) -> Self {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_000_000_000);
        header.set_uid(1234);
        header.set_gid(1234);
        header.set_size(bytes.len() as u64);
        header.set_link_name_literal(link).unwrap();
        header.set_cksum();
        self.0.append(&header, bytes).unwrap();
        self
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        self.entry(name, tar::EntryType::Regular, 0o640, "", text.as_bytes())
    }

    pub(crate) fn bytes(self, name: &str, bytes: &[u8]) -> Self {
        self.entry(name, tar::EntryType::Regular, 0o644, "", bytes)
    }

    pub(crate) fn folder(self, name: &str, mode: u32) -> Self {
        self.entry(name, tar::EntryType::Directory, mode, "", b"")
    }

    pub(crate) fn link(self, name: &str, target: &str) -> Self {
        self.entry(name, tar::EntryType::Symlink, 0o777, target, b"")
    }

    pub(crate) fn hard(self, name: &str, target: &str) -> Self {
        self.entry(name, tar::EntryType::Link, 0o640, target, b"")
    }

    pub(crate) fn device(self, name: &str) -> Self {
        self.entry(name, tar::EntryType::Char, 0o666, "", b"")
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// Builds `t` from a context.
pub(crate) async fn build_from(images: &Arc<Memory>, context: &[u8], options: Options) -> Result<Digest, String> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(context).unwrap();
    let tags = vec!["t".parse().unwrap()];
    let options = Options { tags, ..options };
    build(images.clone(), file, options).await.map_err(|e| e.to_string())
}
