//! `state`: keys and values that last, held back until the export answered ok.

use super::{bindings::davit::host::state, refusal::Answer};
use crate::context::Context;
use davit_model::error::PolicyError;
use std::collections::BTreeSet;

const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 1 << 20;

fn check_key(key: &str) -> Result<(), PolicyError> {
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(PolicyError::Invalid(format!("a state key has 1 to {MAX_KEY} bytes, this one has {}", key.len())));
    }
    Ok(())
}

impl state::Host for Context {
    async fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        self.enter()?;
        self.rights().state()?;
        check_key(&key)?;
        self.state_value(&key).await
    }

    async fn swap(&mut self, key: String, expected: Option<Vec<u8>>, new: Option<Vec<u8>>) -> Answer<bool> {
        self.enter()?;
        self.rights().state()?;
        check_key(&key)?;
        if new.as_ref().is_some_and(|v| v.len() > MAX_VALUE) {
            return Err(PolicyError::Invalid(format!("a state value has at most {MAX_VALUE} bytes")).into());
        }
        if self.state_value(&key).await? != expected {
            return Ok(false);
        }
        self.hold_back(key, expected, new)?;
        Ok(true)
    }

    async fn keys(&mut self, prefix: String) -> Answer<Vec<String>> {
        self.enter()?;
        self.rights().state()?;
        let services = self.services().clone();
        let plugin = self.site_name().to_owned();
        let stored = self.wait(services.state_keys(&plugin, &prefix)).await??;
        let mut keys: BTreeSet<String> = stored.into_iter().collect();
        for (key, write) in self.held_back() {
            if key.starts_with(&prefix) {
                if write.new.is_some() {
                    keys.insert(key.clone())
                } else {
                    keys.remove(key)
                };
            }
        }
        Ok(keys.into_iter().collect())
    }
}
