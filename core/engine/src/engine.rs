//! The engine itself: what it holds, how it opens, where its files are. Every verb is an `impl Engine` in its own file.

use crate::{
    EngineError, Kind,
    container::Container,
    events::Events,
    log_watch::LogWatch,
    networks::Networks,
    plugin_state::{PluginState, SqlState},
    policy::{Policy, PolicyLoader},
    pull::Pulls,
    record::ContainerRecord,
    site::Site,
    tables,
};
use davit_model::id::{ContainerId, ObjectName};
use davit_registry::Registry;
use davit_store::{Db, SqlJournal, Store};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, HashMap},
    os::{fd::OwnedFd, unix::fs::DirBuilderExt},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{SystemTime, UNIX_EPOCH},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Where an engine lives.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// What is durable; default `/var/lib/davit`.
    pub data_root: PathBuf,
    /// What a reboot forgets; default `/run/davit`.
    pub exec_root: PathBuf,
    /// The site's file.
    pub site_file: PathBuf,
    /// The `davit-runtime` binary.
    pub runtime: PathBuf,
}

/// The engine; cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: EngineOptions,
    /// Keeps the exec root this engine's alone.
    _exec_root: OwnedFd,
    /// A few hex digits that every kernel object of this engine carries in its name.
    pub(crate) instance: String,
    pub(crate) db: Db,
    pub(crate) journal: SqlJournal,
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) networks: Networks,
    pub(crate) launcher: crate::launch::LauncherSlot,
    pub(crate) resolver: crate::resolver::ResolverSlot,
    pub(crate) cgroups: Arc<davit_runtime::cgroup::Hierarchies>,
    pub(crate) abilities: tokio::sync::OnceCell<davit_runtime::cgroup::Abilities>,
    pub(crate) filters: davit_runtime::seccomp::Cache,
    pub(crate) containers: Containers,
    pub(crate) events: Events,
    pub(crate) observers: crate::observers::Observers,
    pub(crate) log_watch: LogWatch,
    pub(crate) zones: crate::zones::Zones,
    pub(crate) pulls: Pulls,
    pub(crate) loader: Arc<dyn PolicyLoader>,
    policy: RwLock<Arc<Policy>>,
    /// Held while the policy is made anew, by a reload or by a plugin's change; never by who uses it.
    pub(crate) plugin_changes: tokio::sync::Mutex<()>,
    pub(crate) tasks: TaskTracker,
    /// Cancelled when what a predecessor left is in order: nothing is started before, or it would be cleared away, too.
    pub(crate) recovered: CancellationToken,
    pub(crate) closing: CancellationToken,
}

impl Engine {
    /// Opens the engine on its roots: reads the site's file, loads its plugins, ends what a predecessor left half-done
    /// and takes over the containers that run.
    ///
    /// `loader` is made once the database is open, because plugins keep their state there.
    pub async fn open(
        options: EngineOptions,
        loader: impl FnOnce(Arc<dyn PluginState>) -> Result<Arc<dyn PolicyLoader>, EngineError>,
    ) -> Result<Self, EngineError> {
        for dir in ["", "containers", "volumes", "plugins"] {
            make_dir(&options.data_root.join(dir), 0o711)?;
        }
        for dir in ["", "containers", "zones"] {
            make_dir(&options.exec_root.join(dir), 0o711)?;
        }
        let site = Site::read(&options.site_file)?;
        let root = options.data_root.clone();
        let store = tokio::task::spawn_blocking(move || Store::open(&root)).await;
        let store =
            store.map_err(|e| EngineError::internal("opening the store", e))?.map_err(crate::images::store_error)?;
        let exec_root = crate::exec_root::claim(&options.exec_root)?;
        // Nobody else is on these roots now.
        let zones = options.exec_root.join("zones");
        davit_runtime::names::Zone::clear_unfinished(&zones)
            .map_err(|e| EngineError::internal(&format!("clearing {}", zones.display()), e))?;
        let db = store.db().clone();
        db.migrate(tables::COMPONENT).await.map_err(tables::db_error)?;
        let instance = tables::fact(&db, "instance", || random().map(|b| hex(&b[..3])).unwrap_or_default()).await?;
        write_instance(&options.data_root, &instance)?;
        let journal = store.journal();
        let registry = crate::pull::registry_client()?;
        let cgroups = davit_runtime::cgroup::Hierarchies::detect()
            .map_err(|e| EngineError::internal("finding the control groups of this machine", e))?;
        let networks = Networks::open(&instance, &db).await?;
        let loader = loader(Arc::new(SqlState::new(db.clone())))?;
        let filters = davit_runtime::seccomp::Cache::open(&options.data_root.join("seccomp"));
        let filters = filters.map_err(|e| EngineError::internal("opening the compiled filters", e))?;
        let installed = crate::plugins::installed(&store, &db).await?;
        let policy = Policy::accept(&*loader, &Arc::new(site), installed, &options.data_root).await?;
        let inner = Inner {
            _exec_root: exec_root,
            instance,
            db,
            journal,
            store,
            registry,
            networks,
            launcher: crate::launch::LauncherSlot::new(options.runtime.clone()),
            resolver: crate::resolver::ResolverSlot::new(options.runtime.clone(), options.exec_root.clone()),
            cgroups: Arc::new(cgroups),
            abilities: tokio::sync::OnceCell::new(),
            filters,
            containers: Containers::default(),
            events: Events::new(),
            observers: crate::observers::Observers::new(),
            log_watch: LogWatch::new()?,
            zones: crate::zones::Zones::default(),
            pulls: Pulls::default(),
            loader,
            policy: RwLock::new(Arc::new(policy)),
            plugin_changes: tokio::sync::Mutex::default(),
            tasks: TaskTracker::new(),
            recovered: CancellationToken::new(),
            closing: CancellationToken::new(),
            options,
        };
        let engine = Self { inner: Arc::new(inner) };
        engine.keep_zones();
        engine.keep_observing();
        engine.recover().await?;
        engine.inner.recovered.cancel();
        Ok(engine)
    }

    /// Ends the engine's own work; containers run on.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.inner.tasks.close();
        let patience = std::time::Duration::from_secs(10);
        if tokio::time::timeout(patience, self.inner.tasks.wait()).await.is_err() {
            tracing::warn!("work is still under way after {} s; the next start finishes it", patience.as_secs());
        }
        self.inner.launcher.close();
        if !self.inner.containers.all().iter().any(|c| c.read(|r| r.state.status.has_process())) {
            self.inner.resolver.close();
        }
    }
}

impl Inner {
    /// The policy in force.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_policy(&self, policy: Arc<Policy>) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    pub(crate) async fn save(&self, record: &ContainerRecord) -> Result<(), EngineError> {
        tables::put(&self.db, record).await
    }

    pub(crate) fn container_dir(&self, id: &ContainerId) -> PathBuf {
        self.options.data_root.join("containers").join(id.as_str())
    }

    pub(crate) fn run_dir(&self, id: &ContainerId) -> PathBuf {
        self.options.exec_root.join("containers").join(id.as_str())
    }

    /// The container's control group, below each hierarchy's mount.
    pub(crate) fn cgroup_path(&self, id: &ContainerId) -> String {
        format!("/davit-{}/{id}", self.instance)
    }

    /// The container's processes, by their ids on the host.
    pub(crate) fn pids(&self, container: &Container) -> Result<Vec<u32>, EngineError> {
        let group = self.cgroups.open(&self.cgroup_path(&container.id));
        let pids = group.and_then(|g| g.processes()).map_err(|e| EngineError::internal("listing processes", e))?;
        Ok(pids.into_iter().filter_map(|p| u32::try_from(p).ok()).collect())
    }

    pub(crate) fn log_path(&self, id: &ContainerId) -> PathBuf {
        self.container_dir(id).join("output.log")
    }

    /// The container's folder, with an empty log in it.
    pub(crate) fn make_container_dir(&self, id: &ContainerId) -> Result<(), EngineError> {
        make_dir(&self.container_dir(id), 0o710)?;
        let log = self.log_path(id);
        std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&log)
            .map(drop)
            .map_err(|e| EngineError::internal(&format!("making {}", log.display()), e))
    }
}

pub(crate) fn make_dir(path: &Path, mode: u32) -> Result<(), EngineError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|e| EngineError::internal(&format!("making the folder {}", path.display()), e))
}

/// The tag in plain text beside the database, for people and tools that look for this engine's kernel objects.
fn write_instance(root: &Path, instance: &str) -> Result<(), EngineError> {
    let path = root.join("instance");
    std::fs::write(&path, format!("{instance}\n"))
        .map_err(|e| EngineError::internal(&format!("writing {}", path.display()), e))
}

/// The containers by id and by name.
#[derive(Debug, Default)]
pub(crate) struct Containers(RwLock<Index>);

#[derive(Debug, Default)]
struct Index {
    by_id: BTreeMap<ContainerId, Arc<Container>>,
    names: HashMap<ObjectName, ContainerId>,
}

impl Containers {
    fn read<T>(&self, f: impl FnOnce(&Index) -> T) -> T {
        f(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, f: impl FnOnce(&mut Index) -> T) -> T {
        f(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// By full id, by name, or by the beginning of an id that fits one alone.
    pub(crate) fn find(&self, text: &str) -> Result<Arc<Container>, EngineError> {
        let text = text.trim_start_matches('/');
        let none = || EngineError::not_found(format!("No such container: {text}"));
        self.read(|index| {
            if let Some(container) = text.parse().ok().and_then(|id: ContainerId| index.by_id.get(&id)) {
                return Ok(container.clone());
            }
            let named = text.parse::<ObjectName>().ok().and_then(|n| index.names.get(&n));
            if let Some(container) = named.and_then(|id| index.by_id.get(id)) {
                return Ok(container.clone());
            }
            let mut fits = index.by_id.values().filter(|c| !text.is_empty() && c.id.as_str().starts_with(text));
            match (fits.next(), fits.next()) {
                (Some(one), None) => Ok(one.clone()),
                (Some(_), Some(_)) => {
                    Err(EngineError::invalid(format!("Multiple IDs found with provided prefix: {text}")))
                }
                (None, _) => Err(none()),
            }
        })
    }

    pub(crate) fn all(&self) -> Vec<Arc<Container>> {
        self.read(|index| index.by_id.values().cloned().collect())
    }

    /// Takes a name for a container to come.
    pub(crate) fn reserve(&self, name: &ObjectName, id: &ContainerId) -> Result<(), EngineError> {
        self.write(|index| match index.names.get(name) {
            Some(other) => Err(EngineError::conflict(format!(
                "Conflict. The container name \"/{name}\" is already in use by container \"{other}\". \
                 You have to remove (or rename) that container to be able to reuse that name."
            ))),
            None => {
                index.names.insert(name.clone(), id.clone());
                Ok(())
            }
        })
    }

    /// Takes a name that nobody chose.
    pub(crate) fn reserve_generated(&self, id: &ContainerId) -> Result<ObjectName, EngineError> {
        for attempt in 0..64 {
            let name: ObjectName = crate::names::generate(attempt)?;
            if self.reserve(&name, id).is_ok() {
                return Ok(name);
            }
        }
        Err(EngineError::new(Kind::Internal, "no free container name was found; give one with --name"))
    }

    pub(crate) fn release(&self, name: &ObjectName) {
        self.write(|index| index.names.remove(name));
    }

    pub(crate) fn insert(&self, container: Arc<Container>) {
        self.write(|index| {
            index.names.insert(container.read(|r| r.name.clone()), container.id.clone());
            index.by_id.insert(container.id.clone(), container);
        });
    }

    pub(crate) fn forget(&self, container: &Container) {
        self.write(|index| {
            index.by_id.remove(&container.id);
            index.names.remove(&container.read(|r| r.name.clone()));
        });
        container.removed();
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A time from nanoseconds since 1970.
pub(crate) fn timestamp(ns: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(ns)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// 32 bytes from the kernel.
pub(crate) fn random() -> Result<[u8; 32], EngineError> {
    let mut bytes = [0u8; 32];
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = bytes.get_mut(filled..).unwrap_or_default();
        filled += rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty())
            .map_err(|e| EngineError::internal("reading random bytes", e))?;
    }
    Ok(bytes)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
