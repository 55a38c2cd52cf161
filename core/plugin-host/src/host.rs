//! The host: one engine, one pool, one linker, and the plugins that are loaded into it.

use crate::{
    call::Callee,
    compile::{CompiledForms, CompilerProgram},
    context::{Context, Identity},
    contract::v0_1,
    engine,
    error::LoadError,
    grant::Grant,
    limits::Limits,
    manifest::Manifest,
    plugin::Plugin,
    rights::Rights,
    section,
    ticker::Ticker,
};
use davit_model::services::HostServices;
use sha2::{Digest, Sha256};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::Semaphore;
use wasmtime::{Engine, component::Linker};

const LARGEST_COMPONENT: u64 = 64 << 20;

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
        let minute = std::time::Duration::from_secs(60);
        let caps = Limits {
            memory: crate::limits::LARGEST_MEMORY,
            plan_deadline: minute,
            auth_deadline: minute,
            ..Limits::default()
        };
        Self { cache_dir: cache_dir.into(), services, compiler: None, caps }
    }
}

/// Where a component comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A file.
    File(&'a Path),
    /// Bytes, for instance of a layer of an artifact.
    Bytes(&'a [u8]),
}

/// What all calls share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) ticker: Ticker,
    pub(crate) calls: Arc<Semaphore>,
}

/// Loads plugins and makes them answer.
pub struct PluginHost {
    shared: Arc<Shared>,
    linker: Linker<Context>,
    forms: CompiledForms,
    services: Arc<dyn HostServices>,
    caps: Limits,
}

impl fmt::Debug for PluginHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginHost").field("forms", &self.forms).field("caps", &self.caps).finish_non_exhaustive()
    }
}

impl PluginHost {
    /// Sets wasmtime up.
    ///
    /// # Errors
    /// Where address space for the pool or the folder of compiled forms cannot be had.
    pub fn new(options: HostOptions) -> Result<Self, LoadError> {
        let failed = |what| move |source| LoadError::Host { what, source };
        let engine = engine::engine().map_err(failed("setting up wasmtime"))?;
        let mut linker = Linker::new(&engine);
        v0_1::add_to_linker(&mut linker).map_err(failed("linking the contract"))?;
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(failed("linking WASI"))?;
        let forms = CompiledForms::open(&options.cache_dir, options.compiler)?;
        let ticker = Ticker::start(&engine).map_err(|source| LoadError::Io {
            what: "starting the epoch clock for",
            path: options.cache_dir.clone(),
            source,
        })?;
        let calls = Arc::new(Semaphore::new(usize::try_from(engine::CONCURRENT_CALLS).unwrap_or(1)));
        let shared = Arc::new(Shared { engine, ticker, calls });
        Ok(Self { shared, linker, forms, services: options.services, caps: options.caps })
    }

    /// Loads a component under a name of the site's file: reads its manifest, holds the grant against its digest,
    /// compiles and links it, and finds out what it exports.
    ///
    /// # Errors
    /// What is wrong with the file, the manifest or the grant; the text names the plugin and says what to do.
    pub async fn load(&self, site_name: &str, source: Source<'_>, grant: &Grant) -> Result<Arc<Plugin>, LoadError> {
        self.load_with(&self.services, site_name, source, grant).await
    }

    /// As [`PluginHost::load`], with services of the plugin's own: what they know changes for no other plugin, and a
    /// call in flight keeps those that it began with.
    ///
    /// # Errors
    /// As [`PluginHost::load`].
    pub async fn load_with(
        &self,
        services: &Arc<dyn HostServices>,
        site_name: &str,
        source: Source<'_>,
        grant: &Grant,
    ) -> Result<Arc<Plugin>, LoadError> {
        let read;
        let (wasm, origin) = match source {
            Source::File(path) => {
                read = read_component(site_name, path)?;
                (read.as_slice(), path.display().to_string())
            }
            Source::Bytes(bytes) => (bytes, "bytes".to_owned()),
        };
        let bad = |reason: String| LoadError::Plugin { name: site_name.to_owned(), origin: origin.clone(), reason };
        let manifest = match section::custom(wasm, section::MANIFEST).map_err(bad)? {
            Some(bytes) => Manifest::parse(bytes).map_err(bad)?,
            None => {
                return Err(bad(format!(
                    "it has no manifest (custom section {:?}, from plugin.toml)",
                    section::MANIFEST
                )));
            }
        };
        let digest = format!("sha256:{}", hex(&Sha256::digest(wasm)));
        grant.fits(&digest).map_err(bad)?;
        let component = self.forms.load(&self.shared.engine, &digest, wasm).await.map_err(bad)?;
        let pre = self.linker.instantiate_pre(&component).map_err(|e| {
            bad(format!(
                "it wants what this host does not have ({e:#}); it was built for another version of the contract"
            ))
        })?;
        let identity = Identity {
            site_name: site_name.to_owned(),
            label: format!("{}@{}", manifest.plugin.name, manifest.plugin.version),
            rights: Rights::effective(site_name, &manifest.needs, &grant.rights, &grant.credential_callers),
            services: services.clone(),
        };
        let callee = Callee {
            shared: self.shared.clone(),
            identity: Arc::new(identity),
            limits: Limits::wanted(&manifest.limits, &self.caps),
            pre,
            counts: Arc::default(),
        };
        Plugin::probe(callee, manifest, digest, &component).map(Arc::new).map_err(bad)
    }
}

fn read_component(name: &str, path: &Path) -> Result<Vec<u8>, LoadError> {
    let bad = |reason: String| LoadError::Plugin { name: name.to_owned(), origin: path.display().to_string(), reason };
    let meta = std::fs::metadata(path).map_err(|e| bad(format!("it cannot be read: {e}")))?;
    if meta.len() > LARGEST_COMPONENT {
        return Err(bad(format!("it has {} bytes, more than {LARGEST_COMPONENT}", meta.len())));
    }
    std::fs::read(path).map_err(|e| bad(format!("it cannot be read: {e}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
