//! `start`: network and process are made at the same time; the process waits for leave until the network is up, the
//! record says running before anybody is told, and whatever fails is undone.

use crate::{
    Engine, EngineError, Kind,
    container::Container,
    create::event_attributes,
    launch::{Launched, Started},
    networks::Endpoint,
    record::{ContainerRecord, Status},
    wait::WaitResult,
};
use davit_model::{id::Caller, network::Attachment};
use davit_network::Netns;
use davit_sys::fault::point;
use std::sync::Arc;

impl Engine {
    /// Starts a container.
    pub async fn start(&self, caller: &Caller, name: &str) -> Result<(), EngineError> {
        let container = self.inner.containers.find(name)?;
        self.admit(&crate::lifecycle::container_operation("container.start", caller, &container.record())?).await?;
        let engine = self.clone();
        // A task of its own: a client that goes away does not leave a container half started.
        let work = self.inner.tasks.spawn(async move {
            let started = engine.start_container(&container).await;
            if started.is_ok() {
                // The tries of a restart policy count from the last start by hand.
                container.change(|r| r.state.restarts = 0);
            }
            started
        });
        work.await.map_err(|e| EngineError::internal("starting a container", e))?
    }

    /// Starts a container that does not run.
    pub(crate) async fn start_container(&self, container: &Arc<Container>) -> Result<(), EngineError> {
        let transition = container.begin().await;
        if container.pulse().borrow().removed {
            return Err(EngineError::not_found(format!("No such container: {}", container.id)));
        }
        match container.read(|r| r.state.status) {
            Status::Running => return Err(EngineError::new(Kind::NotModified, "the container runs")),
            Status::Paused => {
                return Err(EngineError::conflict("cannot start a paused container, try unpause instead"));
            }
            Status::Removing | Status::Dead => {
                return Err(EngineError::conflict("container is marked for removal and cannot be started"));
            }
            Status::Created | Status::Restarting | Status::Exited => {}
        }
        container.clean().await;
        let started = self.try_start(container).await;
        if let Err(e) = &started {
            self.record_failure(container, e).await;
        }
        drop(transition);
        started?;
        Ok(())
    }

    async fn try_start(&self, container: &Arc<Container>) -> Result<(), EngineError> {
        let record = container.record();
        self.before_start(&record).await?;
        let endpoint = self.plan_endpoint(&record).await?;
        let launched = self.launch_with_network(container, &record, &endpoint).await;
        let (started, mac) = match launched {
            Ok(launched) => launched,
            Err(e) => return Err(e.undone(self.undo_endpoint(&endpoint).await)),
        };
        let mut on_record = endpoint.record.clone();
        on_record.mac = mac;
        let saved = container.change(|r| {
            r.state.status = Status::Running;
            r.state.pid = started.pid;
            r.state.started = Some(jiff::Timestamp::now());
            r.state.error.clear();
            r.state.exit_code = 0;
            r.state.oom_killed = false;
            r.state.stopped_by_hand = false;
            r.endpoint = Some(on_record);
        });
        // From here on the run has a supervisor, so a record that cannot be written ends it in good order.
        self.supervise(container, started);
        self.inner.save(&saved).await?;
        self.endpoint_recorded(&endpoint).await?;
        self.publish("container.start", container.id.as_str(), event_attributes(&saved));
        self.inner.zones.stale(&endpoint.record.network);
        Ok(())
    }

    /// The process and its network, side by side; then leave to run.
    async fn launch_with_network(
        &self,
        container: &Arc<Container>,
        record: &ContainerRecord,
        endpoint: &Endpoint,
    ) -> Result<(Started, String), EngineError> {
        self.write_files(record, &endpoint.record.plan)?;
        let shared = endpoint.record.plan.attachment == Attachment::ShareHost;
        let namespace = if shared { None } else { Some(Arc::new(self.inner.networks.namespace().await?)) };
        let launching = self.launch(container, record, endpoint, namespace.clone());
        let (launched, connected) = tokio::join!(launching, self.connect_in(endpoint, namespace, record));
        // Both are looked at, so that neither is left behind where the other failed.
        let (launched, mac) = match (launched, connected) {
            (Ok(launched), Ok(mac)) => (launched, mac),
            (Ok(launched), Err(e)) => {
                self.abandon(container, launched).await;
                return Err(e);
            }
            (Err(e), _) => {
                self.clear_failed(container).await;
                return Err(e);
            }
        };
        point("run.prepared");
        match launched.go().await {
            Ok(started) => {
                point("run.going");
                Ok((started, mac))
            }
            Err(e) => {
                self.clear_failed(container).await;
                Err(e)
            }
        }
    }

    async fn connect_in(
        &self,
        endpoint: &Endpoint,
        namespace: Option<Arc<Netns>>,
        record: &ContainerRecord,
    ) -> Result<String, EngineError> {
        let Some(namespace) = namespace else { return Ok(String::new()) };
        let state = self.connect(endpoint, namespace, record.spec.mac_address.as_deref()).await?;
        let shown = |mac: [u8; 6]| mac.map(|b| format!("{b:02x}")).join(":");
        Ok(state.mac.map(shown).unwrap_or_default())
    }

    async fn abandon(&self, container: &Arc<Container>, launched: Launched) {
        launched.abandon().await;
        self.clear_failed(container).await;
    }

    async fn clear_failed(&self, container: &Arc<Container>) {
        if let Err(e) = self.clear_run(&container.id).await {
            tracing::warn!(container = %container.id, "{e}");
        }
    }

    /// A start that failed shows in the record and ends whoever waits for the run. A container that removes itself
    /// does so now.
    async fn record_failure(&self, container: &Arc<Container>, error: &EngineError) {
        let code = error.exit_code().unwrap_or(128);
        let saved = container.change(|r| {
            r.state.error = error.message().to_owned();
            r.state.exit_code = code;
            r.state.finished = Some(jiff::Timestamp::now());
            if r.state.status == Status::Restarting {
                r.state.status = Status::Exited;
            }
        });
        if let Err(e) = self.inner.save(&saved).await {
            tracing::warn!(container = %container.id, "{e}");
        }
        container.ended(WaitResult { code, error: Some(error.message().to_owned()) });
        if saved.spec.auto_remove
            && let Err(e) = self.remove_ended(container, true).await
        {
            tracing::warn!(container = %container.id, "removing it after a failed start: {e}");
        }
    }
}
