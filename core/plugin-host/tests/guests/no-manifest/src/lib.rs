//! A driver that says nothing of itself: its component has no manifest.

use davit_plugin_sdk::network::{
    EndpointPlan, EndpointRequest, NetworkDriver, NetworkPlan, NetworkRequest, NetworkView, Result,
};

struct Silent;

impl NetworkDriver for Silent {
    fn plan_network(_: &NetworkRequest, _: &NetworkPlan) -> Result<()> {
        Ok(())
    }

    fn plan_endpoint(_: &EndpointRequest, _: &NetworkView, _: &EndpointPlan) -> Result<()> {
        Ok(())
    }
}

davit_plugin_sdk::export!(network: Silent);
