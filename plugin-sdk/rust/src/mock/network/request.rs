//! What somebody wants: networks, endpoints and ports, as a test puts them together and as a plugin reads them.

fn setting(settings: &[(String, String)], key: &str) -> Option<String> {
    settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
}

/// A network that a test wants made.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// No way out to other networks.
    pub internal: bool,
    /// IPv6 addresses are wanted as well.
    pub ipv6: bool,
    /// Subnets asked for.
    pub subnets: Vec<String>,
    /// Driver options, sorted by key.
    pub settings: Vec<(String, String)>,
}

/// A network that somebody wants made.
#[derive(Clone, Debug)]
pub struct NetworkRequest(Network);

impl From<Network> for NetworkRequest {
    fn from(network: Network) -> Self {
        Self(network)
    }
}

impl NetworkRequest {
    /// Its name.
    pub fn name(&self) -> String {
        self.0.name.clone()
    }

    /// No way out to other networks.
    pub fn internal(&self) -> bool {
        self.0.internal
    }

    /// IPv6 addresses are wanted as well.
    pub fn ipv6(&self) -> bool {
        self.0.ipv6
    }

    /// Subnets asked for.
    pub fn subnets(&self) -> Vec<String> {
        self.0.subnets.clone()
    }

    /// One driver option.
    pub fn setting(&self, key: &str) -> Option<String> {
        setting(&self.0.settings, key)
    }

    /// All driver options.
    pub fn settings(&self) -> Vec<(String, String)> {
        self.0.settings.clone()
    }
}

/// A port that a container wants reachable from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    protocol: String,
    inside: u16,
    outside: Option<u16>,
    address: Option<String>,
}

impl Port {
    /// A port of TCP, on whatever port of the host is free.
    pub fn tcp(inside: u16) -> Self {
        Self { protocol: "tcp".to_owned(), inside, outside: None, address: None }
    }

    /// A port of UDP, on whatever port of the host is free.
    pub fn udp(inside: u16) -> Self {
        Self { protocol: "udp".to_owned(), ..Self::tcp(inside) }
    }

    /// On this port of the host.
    #[must_use]
    pub fn on(self, outside: u16) -> Self {
        Self { outside: Some(outside), ..self }
    }

    /// On this address of the host.
    #[must_use]
    pub fn at(self, address: &str) -> Self {
        Self { address: Some(address.to_owned()), ..self }
    }

    /// `tcp` or `udp`.
    pub fn protocol(&self) -> String {
        self.protocol.clone()
    }

    /// The port in the container.
    pub fn inside(&self) -> u16 {
        self.inside
    }

    /// The host's port that was asked for.
    pub fn outside(&self) -> Option<u16> {
        self.outside
    }

    /// The host's address that was asked for.
    pub fn address(&self) -> Option<String> {
        self.address.clone()
    }
}

/// A container that a test wants connected.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// The container's id.
    pub container: String,
    /// Names that it is to be known by.
    pub aliases: Vec<String>,
    /// The IPv4 address that was asked for.
    pub wanted_v4: Option<String>,
    /// The IPv6 address that was asked for.
    pub wanted_v6: Option<String>,
    /// The MAC address that was asked for.
    pub wanted_mac: Option<String>,
    /// Ports to publish.
    pub published: Vec<Port>,
    /// Driver options.
    pub settings: Vec<(String, String)>,
}

/// A container that is to be connected.
#[derive(Clone, Debug)]
pub struct EndpointRequest(Endpoint);

impl From<Endpoint> for EndpointRequest {
    fn from(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }
}

impl EndpointRequest {
    /// The container's id.
    pub fn container(&self) -> String {
        self.0.container.clone()
    }

    /// Names that it is to be known by.
    pub fn aliases(&self) -> Vec<String> {
        self.0.aliases.clone()
    }

    /// The address that was asked for.
    pub fn wanted_address(&self, v6: bool) -> Option<String> {
        if v6 { self.0.wanted_v6.clone() } else { self.0.wanted_v4.clone() }
    }

    /// The MAC address that was asked for.
    pub fn wanted_mac(&self) -> Option<String> {
        self.0.wanted_mac.clone()
    }

    /// Ports to publish.
    pub fn published(&self) -> Vec<Port> {
        self.0.published.clone()
    }

    /// One driver option.
    pub fn setting(&self, key: &str) -> Option<String> {
        setting(&self.0.settings, key)
    }
}
