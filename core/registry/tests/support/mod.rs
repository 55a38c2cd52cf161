//! What the tests of this crate share: a real registry in a folder of its own, images from parts, sinks and sources
//! in memory, and a policy that answers natively.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails the test")]
#![allow(dead_code, unused_imports, reason = "each test file uses its own part")]

mod image;
mod memory;
mod policy;
mod process;
mod token_policy;
mod wire;

pub(crate) use image::{Image, OCI_INDEX, OCI_MANIFEST, layer_bytes};
pub(crate) use memory::{Blobs, Kept};
pub(crate) use policy::{FakePolicy, answers};
pub(crate) use process::RealRegistry;
pub(crate) use token_policy::TokenPolicy;
pub(crate) use wire::{FlakyProxy, Reply, Scripted, answer};

use davit_model::{auth::RegistryAuth, id::Caller, reference::Reference};
use davit_registry::{Descriptor, Options, Registry, Session, Timeouts};
use std::{sync::Arc, time::Duration};

/// A client whose waits are short enough for tests.
pub(crate) fn client() -> Registry {
    Registry::new(options()).expect("a client")
}

/// Settings whose waits are short enough for tests.
pub(crate) fn options() -> Options {
    let timeouts = Timeouts {
        connect: Duration::from_secs(3),
        response: Duration::from_secs(5),
        stall: Duration::from_secs(2),
        rate_limit: Duration::from_secs(3),
    };
    Options { timeouts, ..Options::default() }
}

/// A session of a caller without a credential of its own.
pub(crate) fn session(auth: Arc<dyn RegistryAuth>) -> Session {
    Session::new(auth, Caller("uid:1000".into()), None)
}

/// `<registry>/<rest>`.
pub(crate) fn reference(registry: &str, rest: &str) -> Reference {
    format!("{registry}/{rest}").parse().expect("a reference")
}

/// Nothing to tell.
pub(crate) fn quiet() -> impl Fn(u64) + Send + Sync {
    |_| {}
}

/// A real registry that has an image of one layer of `length` bytes.
pub(crate) async fn with_layer(length: usize) -> (RealRegistry, Image, Descriptor) {
    let server = RealRegistry::open();
    let image = Image::of(&[layer_bytes(21, length)]);
    let name = reference(&server.address, "x:1");
    let own = session(answers::anonymous());
    client().push(&own, &name, &image.document, &image.blobs, &image.source, &|_, _| {}).await.unwrap();
    let layer = image.blobs[1].descriptor.clone();
    (server, image, layer)
}
