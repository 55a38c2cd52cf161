//! A network driver that does, by the network's name, everything that a plugin should not do. `behave` in the plugin's
//! section of the site's file comes before the name.

mod behaviours;

use davit_plugin_sdk::{
    host::{config, setting_or},
    network::{EndpointPlan, EndpointRequest, Error, NetworkDriver, NetworkPlan, NetworkRequest, NetworkView, Result},
};

struct Misbehaving;

impl NetworkDriver for Misbehaving {
    fn plan_network(request: &NetworkRequest, plan: &NetworkPlan) -> Result<()> {
        let name = setting_or("behave", &request.name())?;
        if let Some(done) = behaviours::common(&name) {
            return done;
        }
        match name.as_str() {
            "behave" => plan.bridge().map(drop),
            "million-steps" => (0..1_000_000).try_for_each(|_| plan.bridge().map(drop)),
            "block-in-host-call" => plan.subnet(None, false).map(drop),
            "ask-vlan" => plan.vlan("eth9", 5).map(drop),
            "ask-other-vlan" => plan.vlan("eth0", 5).map(drop),
            "config" => Err(Error::Other(config::get("a.b")?.unwrap_or_default())),
            other => Err(Error::Unsupported(other.to_owned())),
        }
    }

    fn plan_endpoint(_: &EndpointRequest, _: &NetworkView, plan: &EndpointPlan) -> Result<()> {
        plan.share_host()
    }
}

davit_plugin_sdk::export!(network: Misbehaving);
