//! The engine's verdicts, for the conformance suite.

use davit_engine::verdict;
use davit_model::{
    lifecycle::{Adjustment, Operation},
    network::{EndpointPlan, NetworkPlan},
    storage::{CommitPlan, LayerPlan, Place, RootPlan, StorageStep},
};
use davit_plugin_host::conformance::Judge;
use std::collections::BTreeSet;

/// The core.
#[derive(Debug)]
pub(super) struct Core;

impl Judge for Core {
    fn layer(
        &self,
        there: &BTreeSet<Place>,
        prepare: &LayerPlan,
        commit: &CommitPlan,
    ) -> Result<BTreeSet<Place>, String> {
        verdict::layer(there, prepare, commit)
    }

    fn root(
        &self,
        there: &BTreeSet<Place>,
        below: &BTreeSet<Place>,
        plan: &RootPlan,
    ) -> Result<BTreeSet<Place>, String> {
        verdict::root(there, below, plan)
    }

    fn steps(&self, there: &BTreeSet<Place>, own: &BTreeSet<Place>, steps: &[StorageStep]) -> Result<(), String> {
        verdict::steps(there, own, steps)
    }

    fn network(&self, parents: &BTreeSet<String>, plan: &NetworkPlan) -> Result<(), String> {
        verdict::network(parents, plan)
    }

    fn endpoint(&self, parents: &BTreeSet<String>, network: &NetworkPlan, plan: &EndpointPlan) -> Result<(), String> {
        verdict::endpoint(parents, network, plan)
    }

    fn adjustments(&self, plugin: &str, operation: &Operation, adjustments: &[Adjustment]) -> Result<(), String> {
        verdict::adjustments(plugin, operation, adjustments)
    }
}
