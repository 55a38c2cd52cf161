//! The lifecycle chain around an operation: mutate in order with conflicts found, then admit; before-start and
//! after-exit; observers, who are never waited for.

use crate::{Engine, EngineError, Kind, policy::Hooked, record::ContainerRecord};
use davit_model::{
    container::ContainerSpec,
    digest::Digest,
    error::PortError,
    id::Caller,
    lifecycle::{Adjustment, FailMode, Operation},
    reference::Reference,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a `container.create` becomes.
pub(crate) struct Admitted {
    pub(crate) spec: ContainerSpec,
    pub(crate) warnings: Vec<String>,
}

impl Engine {
    /// Lets the chain change and then judge a request to make a container.
    pub(crate) async fn mutate_and_admit(
        &self,
        caller: &Caller,
        spec: ContainerSpec,
        digest: Option<&Digest>,
    ) -> Result<Admitted, EngineError> {
        let chain = self.inner.policy().lifecycle.clone();
        let mut warnings = Vec::new();
        if chain.is_empty() {
            return Ok(Admitted { spec, warnings });
        }
        let mut spec = spec;
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        for hooked in chain.iter().filter(|h| h.policy.hooks().mutate) {
            let operation = create_operation(caller, &spec, digest)?;
            let adjustments = match hooked.policy.mutate(&operation).await {
                Ok(adjustments) => adjustments,
                Err(e) => {
                    failed(hooked, e, &mut warnings)?;
                    continue;
                }
            };
            spec = adjusted(&spec, hooked.policy.name(), &hooked.after, &adjustments, &mut owners)?;
        }
        let operation = create_operation(caller, &spec, digest)?;
        self.admit_with(&chain, &operation, &mut warnings).await?;
        Ok(Admitted { spec, warnings })
    }

    /// Asks the chain whether an operation may be done.
    pub(crate) async fn admit(&self, operation: &Operation) -> Result<(), EngineError> {
        let chain = self.inner.policy().lifecycle.clone();
        self.admit_with(&chain, operation, &mut Vec::new()).await
    }

    async fn admit_with(
        &self,
        chain: &[Hooked],
        operation: &Operation,
        warnings: &mut Vec<String>,
    ) -> Result<(), EngineError> {
        for hooked in chain.iter().filter(|h| h.policy.hooks().admit) {
            if let Err(e) = hooked.policy.admit(operation).await {
                failed(hooked, e, warnings)?;
            }
        }
        Ok(())
    }

    /// The hooks just before a container's process runs.
    pub(crate) async fn before_start(&self, record: &ContainerRecord) -> Result<(), EngineError> {
        let chain = self.inner.policy().lifecycle.clone();
        for hooked in chain.iter().filter(|h| h.policy.hooks().before_start) {
            let operation = container_operation("container.start", &Caller(record.caller.clone()), record)?;
            if let Err(e) = hooked.policy.before_start(&operation).await {
                failed(hooked, e, &mut Vec::new())?;
            }
        }
        Ok(())
    }

    /// The hooks after a container ended. What they answer changes nothing any more: it is logged.
    pub(crate) async fn after_exit(&self, record: &ContainerRecord) {
        let chain = self.inner.policy().lifecycle.clone();
        let status = i32::try_from(record.state.exit_code).unwrap_or(-1);
        for hooked in chain.iter().filter(|h| h.policy.hooks().after_exit) {
            let asked = container_operation("container.exit", &Caller(record.caller.clone()), record);
            let Ok(operation) = asked else { continue };
            if let Err(e) = hooked.policy.after_exit(&operation, status).await {
                tracing::warn!(container = %record.id, "after-exit: {e}");
            }
        }
    }

    /// Makes an event known to clients and observers.
    pub(crate) fn publish(&self, kind: &str, actor: &str, attributes: BTreeMap<String, String>) {
        let event = self.inner.events.publish(kind, actor, attributes);
        let chain = self.inner.policy().lifecycle.clone();
        if chain.iter().any(|h| h.policy.hooks().observe) {
            self.inner.observers.tell(event);
        }
    }
}

/// A refusal is final; where the policy could not answer, its fail mode decides.
fn failed(hooked: &Hooked, error: PortError, warnings: &mut Vec<String>) -> Result<(), EngineError> {
    use davit_model::error::PolicyError::{Internal, Other, Unavailable};
    let broken = matches!(error.error, Internal(_) | Other(_) | Unavailable { .. });
    if broken && hooked.fail == FailMode::Open {
        tracing::warn!("{error}; going on, because the site's file says fail = \"open\"");
        warnings.push(format!("{error} (going on: fail = \"open\")"));
        return Ok(());
    }
    Err(error.into())
}

fn create_operation(caller: &Caller, spec: &ContainerSpec, digest: Option<&Digest>) -> Result<Operation, EngineError> {
    let mut request =
        serde_json::to_value(spec).map_err(|e| EngineError::internal("showing the request to policy", e))?;
    // Policy sees the parsed request only: two forms of one truth can disagree.
    if let Some(fields) = request.as_object_mut() {
        fields.remove("as_asked");
    }
    Ok(Operation {
        kind: "container.create".into(),
        caller: caller.clone(),
        image: Some(whole(&spec.image)),
        image_digest: digest.cloned(),
        labels: spec.labels.clone(),
        privileged: spec.privileged,
        request,
    })
}

/// An operation on a container that exists.
pub(crate) fn container_operation(
    kind: &str,
    caller: &Caller,
    record: &ContainerRecord,
) -> Result<Operation, EngineError> {
    let operation = create_operation(caller, &record.spec, record.image_manifest.as_ref())?;
    Ok(Operation { kind: kind.into(), labels: record.labels.clone(), ..operation })
}

/// What policy is told of an image's name: whole, so that `docker.io/*` means what it says. An id stays one.
fn whole(image: &str) -> String {
    let hex = |text: &str| text.len() >= 12 && text.bytes().all(|b| b.is_ascii_hexdigit());
    match image.parse::<Reference>() {
        Ok(reference) if !hex(image) && !image.starts_with("sha256:") => reference.to_string(),
        _ => image.to_owned(),
    }
}

/// An operation on an image.
pub(crate) fn image_operation(kind: &str, caller: &Caller, image: &str, digest: Option<Digest>) -> Operation {
    Operation {
        kind: kind.into(),
        caller: caller.clone(),
        image: Some(whole(image)),
        image_digest: digest,
        labels: BTreeMap::new(),
        privileged: false,
        request: Value::Null,
    }
}

/// Applies one policy's adjustments. A field that two policies set to different values is an error that names both, unless
/// the site says that the one comes `after` the other; the outcome is parsed again, so what no client could ask for no
/// policy can make.
pub(crate) fn adjusted(
    spec: &ContainerSpec,
    policy: &str,
    after: &BTreeSet<String>,
    adjustments: &[Adjustment],
    owners: &mut BTreeMap<String, String>,
) -> Result<ContainerSpec, EngineError> {
    let mut value = serde_json::to_value(spec).map_err(|e| EngineError::internal("adjusting the request", e))?;
    for a in adjustments {
        let other = owners.get(&a.path).filter(|o| o.as_str() != policy && !after.contains(*o));
        if let Some(other) = other.filter(|_| value.pointer(&a.path) != Some(&a.value)) {
            return Err(EngineError::new(
                Kind::Conflict,
                format!(
                    "lifecycle plugins {other} and {policy} both set {} of the container; the site's file can say \
                     after = [{other:?}] for {policy}",
                    a.path
                ),
            ));
        }
        owners.insert(a.path.clone(), policy.to_owned());
        set(&mut value, &a.path, a.value.clone()).ok_or_else(|| {
            EngineError::new(Kind::Internal, format!("lifecycle plugin {policy} set {}, which does not exist", a.path))
        })?;
    }
    let bad =
        |e: String| EngineError::new(Kind::Internal, format!("lifecycle plugin {policy} made a bad request: {e}"));
    let spec: ContainerSpec = serde_json::from_value(value).map_err(|e| bad(e.to_string()))?;
    spec.secret_files.iter().try_for_each(|(at, file)| file.check(at)).map_err(bad)?;
    Ok(spec)
}

/// Sets what a JSON pointer (RFC 6901) names: a field that is there, or a new key of a map.
fn set(value: &mut Value, pointer: &str, new: Value) -> Option<()> {
    let (parent, key) = pointer.rsplit_once('/')?;
    let key = key.replace("~1", "/").replace("~0", "~");
    let parent = value.pointer_mut(parent)?.as_object_mut()?;
    parent.insert(key, new);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn adjust(path: &str, value: Value) -> Adjustment {
        Adjustment { path: path.into(), value }
    }

    #[test]
    fn adjustments_reach_labels_environment_and_limits() {
        let spec = ContainerSpec::default();
        let a = [
            adjust("/labels/a.b~1c", json!("v")),
            adjust("/env/TZ", json!("UTC")),
            adjust("/limits/memory", json!(1024)),
        ];
        let out = alone(&spec, &a).unwrap();
        assert_eq!(out.labels["a.b/c"], "v");
        assert_eq!(out.env["TZ"].as_deref(), Some("UTC"));
        assert_eq!(out.limits.memory, Some(1024));
    }

    fn alone(spec: &ContainerSpec, a: &[Adjustment]) -> Result<ContainerSpec, EngineError> {
        adjusted(spec, "p", &BTreeSet::new(), a, &mut BTreeMap::new())
    }

    #[test]
    fn two_policies_on_one_field_are_named_unless_the_site_says_their_order() {
        let mut owners = BTreeMap::new();
        let (none, a) = (BTreeSet::new(), [adjust("/labels/a", json!("1"))]);
        let spec = adjusted(&ContainerSpec::default(), "first", &none, &a, &mut owners).unwrap();
        let b = [adjust("/labels/a", json!("2"))];
        let e = adjusted(&spec, "second", &none, &b, &mut owners).unwrap_err();
        assert!(e.message().contains("first") && e.message().contains("second"), "{e}");
        assert!(adjusted(&spec, "second", &none, &a, &mut owners.clone()).is_ok(), "they agree");
        let after = BTreeSet::from(["first".to_owned()]);
        assert_eq!(adjusted(&spec, "second", &after, &b, &mut owners).unwrap().labels["a"], "2");
    }

    #[test]
    fn policy_sees_whole_names() {
        for (given, seen) in [
            ("busybox", "docker.io/library/busybox:latest"),
            ("busybox:1", "docker.io/library/busybox:1"),
            ("r.example:5000/a/b:2", "r.example:5000/a/b:2"),
            ("0123456789ab", "0123456789ab"),
            ("sha256:0123", "sha256:0123"),
        ] {
            assert_eq!(whole(given), seen);
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for bad in [
            adjust("/limits/memory", json!("much")),
            adjust("/nosuch", json!(1)),
            adjust("/secret_files/run", json!({"secret": "key", "mode": 256, "uid": 0, "gid": 0})),
        ] {
            assert!(alone(&ContainerSpec::default(), &[bad]).is_err());
        }
    }
}
