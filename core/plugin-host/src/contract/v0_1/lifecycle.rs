//! `davit:lifecycle/host`: operations and events to read, adjustments to record.

use super::{
    bindings::davit::lifecycle::host,
    refusal::{Answer, Refusal},
};
use crate::context::{Context, Sink};
use davit_model::{
    container::SecretFile,
    error::PolicyError,
    lifecycle::{Adjustment, Event, Operation},
};
use std::sync::Arc;
use wasmtime::component::Resource;

const MAX_ADJUSTMENTS: usize = 1024;
const MAX_BYTES: usize = 1 << 20;

/// What is behind `operation`.
#[derive(Clone, Debug)]
pub struct HeldOperation(pub(crate) Arc<Operation>);

/// Adjustments so far, and their size as JSON.
#[derive(Debug, Default)]
pub(crate) struct Adjustments {
    pub(crate) list: Vec<Adjustment>,
    bytes: usize,
}

impl Adjustments {
    fn add(&mut self, adjustment: Adjustment, bytes: usize) -> Answer<()> {
        self.bytes = self.bytes.saturating_add(adjustment.path.len()).saturating_add(bytes);
        if self.list.len() >= MAX_ADJUSTMENTS || self.bytes > MAX_BYTES {
            let text = format!("a call makes at most {MAX_ADJUSTMENTS} adjustments of {MAX_BYTES} bytes in all");
            return Err(Refusal::from(PolicyError::Internal(text)));
        }
        self.list.push(adjustment);
        Ok(())
    }
}

/// What is behind `adjustment`.
#[derive(Debug)]
pub struct HeldAdjustment(pub(crate) Sink<Adjustments>);

/// What is behind `event`.
#[derive(Debug)]
pub struct HeldEvent(pub(crate) Event);

impl host::Host for Context {}

impl host::HostOperation for Context {
    fn kind(&mut self, operation: Resource<HeldOperation>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.table().get(&operation)?.0.kind.clone())
    }

    fn caller(&mut self, operation: Resource<HeldOperation>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.table().get(&operation)?.0.caller.0.clone())
    }

    fn image(&mut self, operation: Resource<HeldOperation>) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        Ok(self.table().get(&operation)?.0.image.clone())
    }

    fn image_digest(&mut self, operation: Resource<HeldOperation>) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        Ok(self.table().get(&operation)?.0.image_digest.as_ref().map(ToString::to_string))
    }

    fn labels(&mut self, operation: Resource<HeldOperation>) -> wasmtime::Result<Vec<(String, String)>> {
        self.enter()?;
        Ok(self.table().get(&operation)?.0.labels.clone().into_iter().collect())
    }

    fn privileged(&mut self, operation: Resource<HeldOperation>) -> wasmtime::Result<bool> {
        self.enter()?;
        Ok(self.table().get(&operation)?.0.privileged)
    }

    fn mounts_json(&mut self, operation: Resource<HeldOperation>) -> wasmtime::Result<String> {
        self.enter()?;
        let mounts = self.table().get(&operation)?.0.request.get("mounts").map(ToString::to_string);
        Ok(mounts.unwrap_or_else(|| "[]".to_owned()))
    }

    fn field(&mut self, operation: Resource<HeldOperation>, path: String) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        Ok(self.table().get(&operation)?.0.request.pointer(&path).map(ToString::to_string))
    }

    fn drop(&mut self, operation: Resource<HeldOperation>) -> wasmtime::Result<()> {
        self.table().delete(operation)?;
        Ok(())
    }
}

impl host::HostAdjustment for Context {
    fn set(&mut self, adjustment: Resource<HeldAdjustment>, path: String, json: String) -> Answer<()> {
        self.enter()?;
        self.rights().adjust(&path)?;
        let value = serde_json::from_str(&json)
            .map_err(|e| PolicyError::Invalid(format!("the value of {path} is not JSON: {e}")))?;
        self.table().get(&adjustment)?.0.with(|all| all.add(Adjustment { path, value }, json.len()))
    }

    fn secret_file(
        &mut self,
        adjustment: Resource<HeldAdjustment>,
        name: String,
        at: String,
        mode: u32,
        owner: Option<(u32, u32)>,
    ) -> Answer<()> {
        self.enter()?;
        self.rights().secret_file(&name)?;
        let (uid, gid) = owner.unwrap_or_default();
        let file = SecretFile { secret: name, mode, uid, gid };
        file.check(&at).map_err(PolicyError::Invalid)?;
        let bytes = file.secret.len();
        let value = serde_json::to_value(file).map_err(|e| PolicyError::Internal(e.to_string()))?;
        let path = SecretFile::pointer(&at);
        self.table().get(&adjustment)?.0.with(|all| all.add(Adjustment { path, value }, bytes))
    }

    fn drop(&mut self, adjustment: Resource<HeldAdjustment>) -> wasmtime::Result<()> {
        self.table().delete(adjustment)?;
        Ok(())
    }
}

impl host::HostEvent for Context {
    fn kind(&mut self, event: Resource<HeldEvent>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.table().get(&event)?.0.kind.clone())
    }

    fn actor(&mut self, event: Resource<HeldEvent>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.table().get(&event)?.0.actor.clone())
    }

    fn time_ms(&mut self, event: Resource<HeldEvent>) -> wasmtime::Result<u64> {
        self.enter()?;
        Ok(self.table().get(&event)?.0.time_ms)
    }

    fn attribute(&mut self, event: Resource<HeldEvent>, key: String) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        Ok(self.table().get(&event)?.0.attributes.get(&key).cloned())
    }

    fn attributes(&mut self, event: Resource<HeldEvent>) -> wasmtime::Result<Vec<(String, String)>> {
        self.enter()?;
        Ok(self.table().get(&event)?.0.attributes.clone().into_iter().collect())
    }

    fn drop(&mut self, event: Resource<HeldEvent>) -> wasmtime::Result<()> {
        self.table().delete(event)?;
        Ok(())
    }
}
