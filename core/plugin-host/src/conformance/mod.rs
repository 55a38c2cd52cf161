//! What every plugin of a kind has to keep to, whoever wrote it: an answer or a refusal to each function, never a trap
//! nor a failure of its own, and not refusals alone; the same plan for the same request; plans that the core would take;
//! nothing that was not granted; as much as the engine lets a request be; and no trap where the host itself fails.
//!
//! A walk: [`run`] takes a loaded [`Plugin`], makes [`requests`](self) of its kinds from a seed, puts each as a
//! [`Question`](crate::Question) and holds the [`Reply`](crate::Reply) against a [`Judge`], which is the core's own
//! validator. No root is needed, and no kernel object is touched. It does not know what the answers are for.

mod chance;
mod imagined;
mod judge;
mod lifecycle;
mod network;
mod referred;
mod registry_auth;
mod report;
mod session;
mod storage;
mod tally;

pub use imagined::{Imagined, ImaginedLeases, NoManifests};
pub use judge::Judge;
pub use report::{Check, Outcome, Report};

use crate::plugin::Plugin;
use session::Session;

/// How thorough a run is.
#[derive(Clone, Copy, Debug)]
pub struct Thoroughness {
    /// Generated requests of each function.
    pub requests: u32,
    /// Where they begin: the same seed makes the same requests.
    pub seed: u64,
}

impl Default for Thoroughness {
    fn default() -> Self {
        Self { requests: 40, seed: 1 }
    }
}

/// Puts a plugin through the suites of all its kinds. `granted` was loaded with what its manifest needs, `bare` is the
/// same component with no grant at all; both are over `services`.
pub async fn run(granted: &Plugin, bare: &Plugin, services: &Imagined, judge: &dyn Judge, how: Thoroughness) -> Report {
    let mut session = Session::new(granted, bare, services, judge, how);
    let kinds = granted.info().kinds.clone();
    for kind in kinds {
        match kind {
            "storage" => storage::suite(&mut session).await,
            "network" => network::suite(&mut session).await,
            "registry-auth" => registry_auth::suite(&mut session).await,
            "lifecycle" => lifecycle::suite(&mut session).await,
            _ => {}
        }
    }
    session.into_report()
}
