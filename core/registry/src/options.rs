//! What a site may set about how registries are spoken to.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// Settings of a [`crate::Registry`].
#[derive(Clone, Debug)]
pub struct Options {
    /// `host[:port]` of registries that may speak plain http besides the loopback ones, which always may.
    pub insecure: Vec<String>,
    /// A folder of `*.crt` and `*.pem` files whose certificates are trusted besides the system's.
    pub certificates: Option<PathBuf>,
    /// The API's host where it differs from the registry's name in references.
    pub hosts: BTreeMap<String, String>,
    /// How long each wait may take.
    pub timeouts: Timeouts,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// How many blobs are transferred at once, over all operations.
    pub max_concurrent: usize,
    /// How often a request that failed on the way is tried again without progress in between.
    pub retries: u32,
    /// Blobs above this many bytes are uploaded in chunks of this many bytes.
    pub upload_chunk: u64,
}

/// Deadlines; none of them is for a whole transfer, whose length the network decides.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// For a connection, its TLS handshake included.
    pub connect: Duration,
    /// From a request's last byte to the answer's head.
    pub response: Duration,
    /// Between two reads or writes of a body.
    pub stall: Duration,
    /// The longest that a registry's `Retry-After` is waited for, in sum over one request.
    pub rate_limit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            response: Duration::from_secs(30),
            stall: Duration::from_secs(30),
            rate_limit: Duration::from_secs(60),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            insecure: Vec::new(),
            certificates: None,
            hosts: BTreeMap::from([("docker.io".to_owned(), "registry-1.docker.io".to_owned())]),
            timeouts: Timeouts::default(),
            user_agent: concat!("davit/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_concurrent: 6,
            retries: 5,
            upload_chunk: 64 << 20,
        }
    }
}
