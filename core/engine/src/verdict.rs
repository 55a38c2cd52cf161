//! What the core would say of a plugin's plans, asked without an engine: for those who try a plugin out. Each check is
//! the one that real plans go through, by the crate that owns it.

use davit_model::{
    container::ContainerSpec,
    lifecycle::{Adjustment, Operation},
    network::{EndpointPlan, NetworkPlan},
};
use davit_network::{Grants, check};
use std::collections::{BTreeMap, BTreeSet};

pub use davit_store::verdict::{layer, root, steps};

/// A network's plan; `parents` are the host's interfaces that the driver was granted.
///
/// # Errors
/// Why the plan would be refused.
pub fn network(parents: &BTreeSet<String>, plan: &NetworkPlan) -> Result<(), String> {
    check::network(plan, &Grants { parents: parents.clone() }).map_err(|e| e.to_string())
}

/// An endpoint's plan on `network`.
///
/// # Errors
/// Why the plan would be refused.
pub fn endpoint(parents: &BTreeSet<String>, network: &NetworkPlan, plan: &EndpointPlan) -> Result<(), String> {
    check::endpoint(plan, network, &Grants { parents: parents.clone() }).map_err(|e| e.to_string())
}

/// What a lifecycle policy wants to change of a request to make a container.
///
/// # Errors
/// Why the outcome would be refused.
pub fn adjustments(policy: &str, operation: &Operation, adjustments: &[Adjustment]) -> Result<(), String> {
    let spec: ContainerSpec =
        serde_json::from_value(operation.request.clone()).map_err(|e| format!("the request itself: {e}"))?;
    let alone = crate::lifecycle::adjusted(&spec, policy, &BTreeSet::new(), adjustments, &mut BTreeMap::new());
    alone.map(drop).map_err(|e| e.to_string())
}
