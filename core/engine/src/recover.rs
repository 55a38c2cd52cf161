//! What a new daemon does first: ends what its predecessor left half-done, takes over the containers that run, records
//! how those ended that ended meanwhile, and clears away what no record names.

use crate::{
    Engine, EngineError,
    container::Container,
    images::store_error,
    networks::{ENDPOINT, EndpointEntry, NETWORK},
    own_volumes::VOLUME,
    record::{ContainerRecord, Status},
    tables,
};
use davit_model::{
    id::ContainerId,
    journal::{Entry, Journal as _},
};
use davit_network::{KnownEndpoint, KnownNetwork, Place};
use davit_sys::fault::point;
use std::{collections::BTreeSet, os::fd::AsFd as _, path::Path, sync::Arc};

impl Engine {
    pub(crate) async fn recover(&self) -> Result<(), EngineError> {
        let settled = self.inner.store.recover().await.map_err(store_error)?;
        for error in settled.errors {
            tracing::warn!("settling the store: {error}");
        }
        for record in tables::all::<ContainerRecord>(&self.inner.db).await? {
            self.inner.containers.insert(Container::new(record));
        }
        self.settle_journal().await?;
        let all = self.inner.containers.all();
        for container in &all {
            if let Err(e) = self.take_over(container).await {
                tracing::warn!(container = %container.id, "taking it over: {e}");
            }
        }
        if let Err(e) = self.reconcile_networks().await {
            tracing::warn!("bringing the network in line with the records: {e}");
        }
        self.free_orphaned_leases().await?;
        self.clear_strangers().await;
        self.clear_volumes().await?;
        for network in self.inner.networks.made() {
            self.inner.zones.stale(&network.id);
        }
        Ok(())
    }

    /// Undoes what was under way, unless its record says that it came to be.
    async fn settle_journal(&self) -> Result<(), EngineError> {
        let open = self.inner.journal.open().await.map_err(|e| EngineError::internal("reading the journal", e))?;
        for (id, entry) in open {
            let settled = match entry.kind.as_str() {
                NETWORK if self.inner.networks.made().iter().any(|n| n.id == entry.object) => Ok(()),
                NETWORK => self.undo_network(&entry).await,
                ENDPOINT => self.settle_endpoint(&entry).await,
                VOLUME => self.settle_volume(&entry.object).await,
                // Those of the store, which it settled or keeps.
                _ => continue,
            };
            match settled {
                Ok(()) => {
                    self.inner.journal.end(id).await.map_err(|e| EngineError::internal("writing the journal", e))?;
                }
                Err(e) => tracing::warn!(kind = entry.kind, object = entry.object, "undoing: {e}"),
            }
        }
        Ok(())
    }

    async fn settle_endpoint(&self, entry: &Entry) -> Result<(), EngineError> {
        let body: EndpointEntry =
            serde_json::from_value(entry.body.clone()).map_err(|e| EngineError::internal("reading the journal", e))?;
        let on_record = self
            .inner
            .containers
            .find(&entry.object)
            .is_ok_and(|c| c.read(|r| r.endpoint.as_ref().is_some_and(|e| e.id == body.id)));
        if on_record { Ok(()) } else { self.disconnect(&body.id, &body.plan).await }
    }

    /// A container that should run is followed again; one that ended meanwhile is recorded so.
    async fn take_over(&self, container: &Arc<Container>) -> Result<(), EngineError> {
        match container.read(|r| r.state.status) {
            Status::Running | Status::Paused => {
                if self.resume(container).await? {
                    self.match_paused(container).await?;
                } else {
                    self.run_ended_unseen(container).await;
                }
            }
            // Killed between the launch and the record: nobody was told that it runs.
            Status::Created | Status::Exited | Status::Dead => {
                self.end_unrecorded(container).await?;
                // One that somebody stopped stays down for the daemon that stopped it, as Docker has it.
                let again = |r: &ContainerRecord| {
                    r.state.status == Status::Exited && r.spec.restart_policy.as_deref() == Some("always")
                };
                if container.read(again) {
                    container.change(|r| r.state.status = Status::Restarting);
                    self.restart_later(container, std::time::Duration::ZERO);
                }
            }
            Status::Restarting => {
                self.end_unrecorded(container).await?;
                self.restart_later(container, std::time::Duration::ZERO);
            }
            Status::Removing => self.remove_ended(container, container.read(|r| r.spec.auto_remove)).await?,
        }
        if container.read(|r| r.state.status == Status::Exited && r.spec.auto_remove) {
            self.remove_ended(container, true).await?;
        }
        Ok(())
    }

    /// Ends a run that was launched and is on nobody's record.
    async fn end_unrecorded(&self, container: &Arc<Container>) -> Result<(), EngineError> {
        if !self.inner.run_dir(&container.id).exists() {
            return Ok(());
        }
        let path = self.inner.cgroup_path(&container.id);
        let cgroups = self.inner.cgroups.clone();
        let killed = tokio::task::spawn_blocking(move || match cgroups.open(&path) {
            Ok(group) => group.kill(std::time::Duration::from_secs(5)),
            Err(_) => Ok(()),
        });
        killed
            .await
            .map_err(|e| EngineError::internal("ending a run", e))?
            .map_err(|e| EngineError::internal("ending a run", e))?;
        point("recover.ended");
        self.clear_run(&container.id).await
    }

    async fn reconcile_networks(&self) -> Result<(), EngineError> {
        let networks = self.inner.networks.made();
        let running: Vec<ContainerRecord> = self
            .inner
            .containers
            .all()
            .iter()
            .map(|c| c.record())
            .filter(|r| r.state.status.has_process() && r.endpoint.is_some())
            .collect();
        let host = self.inner.networks.host.clone();
        let work = move || {
            let known: Vec<KnownNetwork<'_>> =
                networks.iter().map(|n| KnownNetwork { id: &n.id, plan: &n.plan }).collect();
            let namespaces: Vec<Option<std::fs::File>> =
                running.iter().map(|r| std::fs::File::open(format!("/proc/{}/ns/net", r.state.pid)).ok()).collect();
            let endpoints: Vec<KnownEndpoint<'_>> = running
                .iter()
                .zip(&namespaces)
                .filter_map(|(r, ns)| {
                    let endpoint = r.endpoint.as_ref()?;
                    let place = ns.as_ref().map(|ns| Place {
                        namespace: ns.as_fd(),
                        ifname: "eth0",
                        mac: None,
                        default_route: true,
                    });
                    Some(KnownEndpoint { id: &endpoint.id, network: &endpoint.network, plan: &endpoint.plan, place })
                })
                .collect();
            host.reconcile(&known, &endpoints)
        };
        let done = crate::networks::blocking("reconciling networks", work).await?;
        for object in done.removed {
            tracing::info!("removed {object}, which no record names");
        }
        for endpoint in done.lost {
            tracing::warn!(endpoint, "a running container has lost its link");
        }
        Ok(())
    }

    async fn free_orphaned_leases(&self) -> Result<(), EngineError> {
        let mut owners: BTreeSet<String> = self.inner.networks.made().into_iter().map(|n| n.id).collect();
        owners.extend(self.inner.containers.all().iter().filter_map(|c| {
            c.read(|r| r.endpoint.as_ref().filter(|_| r.state.status.has_process()).map(|e| e.id.clone()))
        }));
        let leases = &self.inner.networks.leases;
        let orphans: BTreeSet<String> =
            leases.list().into_iter().map(|l| l.owner).filter(|o| !owners.contains(o)).collect();
        for owner in orphans {
            leases.release(&owner).await?;
        }
        Ok(())
    }

    /// Folders and control groups of containers that have no record, and run folders of those that do not run.
    async fn clear_strangers(&self) {
        let options = &self.inner.options;
        for id in ids_in(&options.data_root.join("containers")) {
            if self.inner.containers.find(id.as_str()).is_err() {
                self.discard_files(&id).await;
            }
        }
        for id in ids_in(&options.exec_root.join("containers")) {
            let runs = self.inner.containers.find(id.as_str()).is_ok_and(|c| c.live().is_some());
            if !runs && let Err(e) = self.clear_run(&id).await {
                tracing::warn!(container = %id, "{e}");
            }
        }
    }
}

fn ids_in(dir: &Path) -> Vec<ContainerId> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str().and_then(|n| n.parse().ok())).collect()
}
