//! A host within this process, for an author's tools and for tests; the daemon's is apart (`crate::apart`).

use crate::{
    compile::CompilerProgram, component, context::Identity, error::LoadError, forms::CompiledForms, grant::Grant,
    limits::Limits, machine::Machine, manifest::Manifest, plugin::Plugin, rights::Rights, section,
};
use davit_model::services::HostServices;
use sha2::{Digest, Sha256};
use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a host is made with.
#[derive(Debug)]
pub struct HostOptions {
    /// Where compiled forms are kept; made where it is not there. Nobody else may write to it.
    pub cache_dir: PathBuf,
    /// What the host does for plugins.
    pub services: Arc<dyn HostServices>,
    /// A program that compiles; none: in this process.
    pub compiler: Option<CompilerProgram>,
    /// What no plugin's manifest goes beyond.
    pub caps: Limits,
}

impl HostOptions {
    /// Compiling in this process, and caps that allow any manifest up to 256 MiB and 60 s.
    pub fn new(cache_dir: impl Into<PathBuf>, services: Arc<dyn HostServices>) -> Self {
        Self { cache_dir: cache_dir.into(), services, compiler: None, caps: Self::caps() }
    }

    /// What no manifest goes beyond where nobody says otherwise: 256 MiB and 60 s.
    pub(crate) fn caps() -> Limits {
        let minute = std::time::Duration::from_secs(60);
        Limits {
            memory: crate::limits::LARGEST_MEMORY,
            plan_deadline: minute,
            auth_deadline: minute,
            ..Limits::default()
        }
    }
}

/// Where a component comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A file.
    File(&'a Path),
    /// Bytes, for instance of a layer of an artifact.
    Bytes(&'a [u8]),
    /// Bytes of a store that keeps them by their digest, `sha256:…`: it has verified them, and they are not read again to
    /// know it.
    Blob {
        /// The digest.
        digest: &'a str,
        /// The bytes.
        bytes: &'a [u8],
    },
}

/// Loads plugins and makes them answer.
#[derive(Debug)]
pub struct PluginHost {
    machine: Machine,
    forms: CompiledForms,
    services: Arc<dyn HostServices>,
}

impl PluginHost {
    /// Sets wasmtime up.
    ///
    /// # Errors
    /// Where address space for the pool or the folder of compiled forms cannot be had.
    pub fn new(options: HostOptions) -> Result<Self, LoadError> {
        let forms = CompiledForms::open(&options.cache_dir, options.compiler)?;
        Ok(Self { machine: Machine::new(options.caps)?, forms, services: options.services })
    }

    /// Loads a component under a name of the site's file: reads its manifest, holds the grant against its digest,
    /// compiles and links it, and finds out what it exports.
    ///
    /// # Errors
    /// What is wrong with the file, the manifest or the grant; the text names the plugin and says what to do.
    pub async fn load(&self, site_name: &str, source: Source<'_>, grant: &Grant) -> Result<Arc<Plugin>, LoadError> {
        let read = Read::from(site_name, source)?;
        let bad = |reason: String| read.bad(site_name, reason);
        let manifest = Manifest::parse(read.manifest().map_err(bad)?).map_err(bad)?;
        let digest = read.digest();
        grant.fits(&digest).map_err(bad)?;
        let compiled = self.forms.compiled(&self.machine.shared.engine, &digest, &read.wasm).await.map_err(bad)?;
        let identity = Identity {
            site_name: site_name.to_owned(),
            label: manifest.label(),
            rights: Rights::effective(site_name, &manifest.needs, &grant.rights, &grant.credential_callers),
        };
        self.machine.link(identity, self.services.clone(), manifest, digest, &compiled).map(Arc::new).map_err(bad)
    }
}

/// A component's bytes, and where they came from.
pub(crate) struct Read<'a> {
    pub(crate) wasm: Cow<'a, [u8]>,
    origin: String,
    digest: Option<&'a str>,
}

impl<'a> Read<'a> {
    pub(crate) fn from(site_name: &str, source: Source<'a>) -> Result<Self, LoadError> {
        Ok(match source {
            Source::File(path) => {
                let origin = path.display().to_string();
                let bad = |reason| LoadError::Plugin { name: site_name.to_owned(), origin: origin.clone(), reason };
                Self { wasm: component::read(path).map_err(bad)?.into(), origin, digest: None }
            }
            Source::Bytes(bytes) => Self { wasm: bytes.into(), origin: "bytes".to_owned(), digest: None },
            Source::Blob { digest, bytes } => {
                Self { wasm: bytes.into(), origin: digest.to_owned(), digest: Some(digest) }
            }
        })
    }

    /// The bytes of `plugin.toml`.
    pub(crate) fn manifest(&self) -> Result<&[u8], String> {
        section::custom(&self.wasm, section::MANIFEST)?
            .ok_or_else(|| format!("it has no manifest (custom section {:?}, from plugin.toml)", section::MANIFEST))
    }

    pub(crate) fn digest(&self) -> String {
        match self.digest {
            Some(known) => known.to_owned(),
            None => format!("sha256:{}", hex(&Sha256::digest(&self.wasm))),
        }
    }

    pub(crate) fn bad(&self, site_name: &str, reason: String) -> LoadError {
        LoadError::Plugin { name: site_name.to_owned(), origin: self.origin.clone(), reason }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
