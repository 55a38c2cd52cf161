//! Network drivers: what a network and an endpoint are made of. See `wit/network`.

pub use crate::imported::network::{
    EndpointPlan, EndpointRequest, Link, NetworkPlan, NetworkRequest, NetworkView, Port, Subnet,
};
pub use crate::{Error, Result};
#[cfg(target_arch = "wasm32")]
use std::marker::PhantomData;

/// A network driver.
pub trait NetworkDriver: 'static {
    /// What a network is made of.
    fn plan_network(request: &NetworkRequest, plan: &NetworkPlan) -> Result<()>;
    /// What an endpoint is made of.
    fn plan_endpoint(request: &EndpointRequest, network: &NetworkView, plan: &EndpointPlan) -> Result<()>;
}

/// Optional: something is gone for good.
pub trait Released: 'static {
    /// `kind` is `network` or `endpoint`.
    fn released(kind: &str, id: &str) -> Result<()>;
}

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
#[derive(Debug)]
pub struct Adapter<T>(PhantomData<T>);

#[cfg(target_arch = "wasm32")]
mod adapt {
    use super::{
        Adapter, EndpointPlan, EndpointRequest, NetworkDriver, NetworkPlan, NetworkRequest, NetworkView, Released,
        Result,
    };
    use crate::bindings::exports;

    impl<T: NetworkDriver> exports::network_driver::exports::davit::network::driver::Guest for Adapter<T> {
        fn plan_network(request: NetworkRequest, plan: NetworkPlan) -> Result<()> {
            T::plan_network(&request, &plan)
        }
        fn plan_endpoint(request: EndpointRequest, network: NetworkView, plan: EndpointPlan) -> Result<()> {
            T::plan_endpoint(&request, &network, &plan)
        }
    }

    impl<T: Released> exports::network_released::exports::davit::network::released::Guest for Adapter<T> {
        fn released(kind: String, id: String) -> Result<()> {
            T::released(&kind, &id)
        }
    }
}
