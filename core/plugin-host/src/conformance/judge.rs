//! The core's own validator, as this crate sees it: the crates that own the checks are its siblings, so whoever knows
//! both hands them over.

use davit_model::{
    lifecycle::{Adjustment, Operation},
    network::{EndpointPlan, NetworkPlan},
    storage::{CommitPlan, LayerPlan, Place, RootPlan, StorageStep},
};
use std::{collections::BTreeSet, fmt};

/// Says why the core would refuse a plan. Each text is for the plugin's author.
pub trait Judge: Send + Sync + fmt::Debug {
    /// A layer's plan, and the one that commits it; `there` is in the area already. Answers the places that are the
    /// layer's own afterwards.
    fn layer(
        &self,
        there: &BTreeSet<Place>,
        prepare: &LayerPlan,
        commit: &CommitPlan,
    ) -> Result<BTreeSet<Place>, String>;
    /// A root's plan over layers at `below`. Answers the places that are the container's own afterwards.
    fn root(
        &self,
        there: &BTreeSet<Place>,
        below: &BTreeSet<Place>,
        plan: &RootPlan,
    ) -> Result<BTreeSet<Place>, String>;
    /// Steps that move or remove what is `own`.
    fn steps(&self, there: &BTreeSet<Place>, own: &BTreeSet<Place>, steps: &[StorageStep]) -> Result<(), String>;
    /// A network's plan; `parents` are the host's interfaces that are granted.
    fn network(&self, parents: &BTreeSet<String>, plan: &NetworkPlan) -> Result<(), String>;
    /// An endpoint's plan on a network.
    fn endpoint(&self, parents: &BTreeSet<String>, network: &NetworkPlan, plan: &EndpointPlan) -> Result<(), String>;
    /// What a plugin wants to change of a request.
    fn adjustments(&self, plugin: &str, operation: &Operation, adjustments: &[Adjustment]) -> Result<(), String>;
}
