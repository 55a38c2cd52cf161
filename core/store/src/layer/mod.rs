//! Layers on a driver's area: prepared by the driver, unpacked by us, committed, recorded; once each, whoever asks.

mod durable;
mod ensure;
mod record;

pub(crate) use durable::forget_undurable;
pub use ensure::LayerSource;
pub use record::LayerRecord;
pub(crate) use record::find;

use davit_model::digest::Digest;
use sha2::{Digest as _, Sha256};

/// Chain ids of a list of diff ids, base first (OCI image-spec, config: "Layer ChainID").
pub fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        chain.push(match chain.last() {
            None => diff_id.clone(),
            Some(parent) => Digest::sha256(&Sha256::digest(format!("{parent} {diff_id}")).into()),
        });
    }
    chain
}

#[cfg(test)]
mod tests;
