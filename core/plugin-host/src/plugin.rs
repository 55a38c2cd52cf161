//! A loaded plugin: who it is, what it exports, and the ports of the model that it fills.

use crate::{
    ask::Ask,
    call::Callee,
    context::Lent,
    contract::v0_1::bindings::exports::davit,
    counts::{Counted, Counts},
    limits::Limits,
    manifest::Manifest,
    ports::{
        lifecycle::{Admit, LifecyclePort},
        network::NetworkPort,
        registry_auth::AuthPort,
        storage::StoragePort,
    },
};
use davit_model::{
    auth::RegistryAuth,
    error::{PolicyError, PortError},
    lifecycle::{Hooks, Lifecycle},
    network::NetworkDriver,
    services::HostServices,
    storage::StorageDriver,
};
use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};
use wasmtime::{
    Engine,
    component::{Component, types::ComponentItem},
};

/// How long an instance may take to be made.
pub(crate) const WAKING: Duration = Duration::from_secs(10);

/// What is known of a plugin, for lists and for `inspect`.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginInfo {
    /// Its name in the site's file.
    pub site_name: String,
    /// The manifest.
    pub manifest: Manifest,
    /// The component's digest, `sha256:…`.
    pub digest: String,
    /// The interfaces of the contract that it exports, `davit:storage/driver@0.1.0`.
    pub exports: Vec<String>,
    /// The interfaces that it imports, the contract's and WASI's.
    pub imports: Vec<String>,
    /// The functions of the host that it could call, `davit:host/secrets#named`.
    pub functions: BTreeSet<String>,
    /// What it can be used as: `storage`, `network`, `registry-auth`, `lifecycle`.
    pub kinds: Vec<&'static str>,
}

impl PluginInfo {
    /// What the manifest asks for.
    pub fn needs(&self) -> &Ask {
        &self.manifest.needs
    }

    /// Whether it exports an interface, `davit:registry-auth/verifier`, of whatever version.
    pub fn exports(&self, interface: &str) -> bool {
        self.exports.iter().any(|export| export.split('@').next() == Some(interface))
    }
}

/// A plugin, ready to be called.
pub struct Plugin {
    callee: Callee,
    info: Arc<PluginInfo>,
    /// For as long as it is used, others of the same form share it.
    component: Arc<Component>,
    pub(crate) storage: Option<Arc<StoragePort>>,
    pub(crate) network: Option<Arc<NetworkPort>>,
    pub(crate) auth: Option<Arc<AuthPort>>,
    pub(crate) lifecycle: Option<Arc<LifecyclePort>>,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("info", &self.info).field("limits", &self.callee.limits).finish_non_exhaustive()
    }
}

impl Plugin {
    /// Finds out what a component exports. The error is a text about the component.
    pub(crate) fn probe(
        callee: Callee,
        manifest: Manifest,
        digest: String,
        component: Arc<Component>,
    ) -> Result<Self, String> {
        let engine = &callee.shared.engine;
        let exports: Vec<String> = component
            .component_type()
            .exports(engine)
            .map(|(name, _)| name.to_owned())
            .filter(|name| name.starts_with("davit:"))
            .collect();
        let imports = component.component_type().imports(engine).map(|(name, _)| name.to_owned()).collect();
        let functions = functions(&component, engine);
        let pre = &callee.pre;
        let storage = davit::storage::driver::GuestIndices::new(pre).ok().map(|driver| {
            Arc::new(StoragePort {
                callee: callee.clone(),
                driver,
                usage: davit::storage::usage::GuestIndices::new(pre).ok(),
                reconcile: davit::storage::reconcile::GuestIndices::new(pre).ok(),
                released: davit::storage::released::GuestIndices::new(pre).ok(),
            })
        });
        let network = davit::network::driver::GuestIndices::new(pre).ok().map(|driver| {
            Arc::new(NetworkPort {
                callee: callee.clone(),
                driver,
                released: davit::network::released::GuestIndices::new(pre).ok(),
            })
        });
        let auth = davit::registry_auth::authenticator::GuestIndices::new(pre).ok().map(|authenticator| {
            Arc::new(AuthPort {
                callee: callee.clone(),
                authenticator,
                resolver: davit::registry_auth::resolver::GuestIndices::new(pre).ok(),
                verifier: davit::registry_auth::verifier::GuestIndices::new(pre).ok(),
            })
        });
        let lifecycle = LifecyclePort {
            callee: callee.clone(),
            mutate: davit::lifecycle::mutate::GuestIndices::new(pre).ok(),
            admit: Admit::probe(pre),
            before_start: davit::lifecycle::before_start::GuestIndices::new(pre).ok(),
            after_exit: davit::lifecycle::after_exit::GuestIndices::new(pre).ok(),
            observe: davit::lifecycle::observe::GuestIndices::new(pre).ok(),
        };
        let lifecycle = (lifecycle.hooks() != Hooks::default()).then(|| Arc::new(lifecycle));
        let kinds = [
            storage.as_ref().map(|_| "storage"),
            network.as_ref().map(|_| "network"),
            auth.as_ref().map(|_| "registry-auth"),
            lifecycle.as_ref().map(|_| "lifecycle"),
        ];
        let kinds: Vec<_> = kinds.into_iter().flatten().collect();
        if kinds.is_empty() {
            return Err(match exports.as_slice() {
                [] => "it exports no interface of the contract".to_owned(),
                found => format!("it exports {}, and this host knows version 0.1 only", found.join(", ")),
            });
        }
        let site_name = callee.identity.site_name.clone();
        let info = PluginInfo { site_name, manifest, digest, exports, imports, functions, kinds };
        Ok(Self { callee, info: Arc::new(info), component, storage, network, auth, lifecycle })
    }

    /// The same, with other services and counters: for one call of one caller.
    pub(crate) fn on_behalf(&self, services: &Arc<dyn HostServices>, counts: &Arc<Counts>) -> Self {
        fn of<T: Clone>(port: &Option<Arc<T>>, change: impl FnOnce(&mut T)) -> Option<Arc<T>> {
            port.as_ref().map(|port| {
                let mut own = T::clone(port);
                change(&mut own);
                Arc::new(own)
            })
        }
        let change = |callee: &mut Callee| {
            callee.services = services.clone();
            callee.counts = counts.clone();
        };
        let mut callee = self.callee.clone();
        change(&mut callee);
        Self {
            storage: of(&self.storage, |port| change(&mut port.callee)),
            network: of(&self.network, |port| change(&mut port.callee)),
            auth: of(&self.auth, |port| change(&mut port.callee)),
            lifecycle: of(&self.lifecycle, |port| change(&mut port.callee)),
            info: self.info.clone(),
            component: self.component.clone(),
            callee,
        }
    }

    /// Limits in force.
    pub(crate) fn limits(&self) -> &Limits {
        &self.callee.limits
    }

    /// Who it is.
    pub fn info(&self) -> &PluginInfo {
        &self.info
    }

    /// `name@version`, as errors name it.
    pub(crate) fn label(&self) -> &str {
        &self.callee.identity.label
    }

    /// The host's interfaces that it was granted.
    pub(crate) fn interfaces(&self) -> &BTreeSet<String> {
        self.callee.identity.rights.interfaces()
    }

    /// Makes an instance of it and calls nothing: whether it can wake up at all.
    ///
    /// # Errors
    /// The trap that it ended with, or its time was over.
    pub async fn wake(&self) -> Result<(), PortError> {
        let nothing = Lent::default();
        self.callee.call("instantiate", WAKING, nothing, |_, _| Box::pin(async { Ok(Ok::<_, PolicyError>(())) })).await
    }

    /// How its calls went so far.
    pub fn counts(&self) -> Counted {
        self.callee.counts.read()
    }

    /// As a storage driver; none where it is none.
    pub fn storage(&self) -> Option<Arc<dyn StorageDriver>> {
        self.storage.clone().map(|p| p as Arc<dyn StorageDriver>)
    }

    /// As a network driver; none where it is none.
    pub fn network(&self) -> Option<Arc<dyn NetworkDriver>> {
        self.network.clone().map(|p| p as Arc<dyn NetworkDriver>)
    }

    /// As registry authentication; none where it is none.
    pub fn registry_auth(&self) -> Option<Arc<dyn RegistryAuth>> {
        self.auth.clone().map(|p| p as Arc<dyn RegistryAuth>)
    }

    /// As lifecycle policy; none where it has no hook.
    pub fn lifecycle(&self) -> Option<Arc<dyn Lifecycle>> {
        self.lifecycle.clone().map(|p| p as Arc<dyn Lifecycle>)
    }
}

fn functions(component: &Component, engine: &Engine) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (interface, import) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
        let interface = interface.split('@').next().unwrap_or(interface);
        let functions = instance.exports(engine).filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)));
        found.extend(functions.map(|(name, _)| format!("{interface}#{name}")));
    }
    found
}
