//! The network that is none of its own: containers share the host's network namespace. Ports are open as they are;
//! publishing one has no meaning and is ignored with a line in the log.

use davit_plugin_sdk::{
    host::{self, check_settings},
    network::{EndpointPlan, EndpointRequest, NetworkDriver, NetworkPlan, NetworkRequest, NetworkView, Result},
};

struct Host;

impl NetworkDriver for Host {
    fn plan_network(_: &NetworkRequest, _: &NetworkPlan) -> Result<()> {
        check_settings(&[])
    }

    fn plan_endpoint(request: &EndpointRequest, _: &NetworkView, plan: &EndpointPlan) -> Result<()> {
        if !request.published().is_empty() {
            host::warn("published ports are ignored: the container shares the host's network");
        }
        plan.share_host()
    }
}

davit_plugin_sdk::export!(network: Host);
