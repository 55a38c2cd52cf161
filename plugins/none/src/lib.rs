//! The network that is not there: a namespace of its own with nothing but loopback.

use davit_plugin_sdk::{
    host::check_settings,
    network::{EndpointPlan, EndpointRequest, Error, NetworkDriver, NetworkPlan, NetworkRequest, NetworkView, Result},
};

struct None;

impl NetworkDriver for None {
    fn plan_network(_: &NetworkRequest, _: &NetworkPlan) -> Result<()> {
        check_settings(&[])
    }

    fn plan_endpoint(request: &EndpointRequest, _: &NetworkView, _: &EndpointPlan) -> Result<()> {
        if request.wanted_address(false).is_some() || request.wanted_address(true).is_some() {
            return Err(Error::Invalid("a container without a network has no address".to_owned()));
        }
        Ok(())
    }
}

davit_plugin_sdk::export!(network: None);
