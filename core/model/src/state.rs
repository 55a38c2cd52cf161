//! What a plugin keeps: changes of its durable state, which last together with the plan that they were made for, or not
//! at all.

use serde::{Deserialize, Serialize};
use std::ops::Deref;

/// Most bytes that one plugin keeps in all, keys and values.
pub const LARGEST_STATE: u64 = 16 << 20;

/// A change of one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateWrite {
    /// The value's key, 1 to 256 bytes.
    pub key: String,
    /// What the plugin has seen there; where it is something else by now, nothing of the call is written.
    pub expected: Option<Vec<u8>>,
    /// What is there from now on; none: nothing.
    pub new: Option<Vec<u8>>,
}

/// All changes of one call: all are made, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateWrites {
    /// The plugin's name in the site's file.
    pub plugin: String,
    /// At most one for each key.
    pub writes: Vec<StateWrite>,
}

/// A plan, and the state that is to be written in the transaction which journals it. A plan that is thrown away takes
/// its state with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned<T> {
    /// The plan.
    pub plan: T,
    /// What its plugin wants to keep.
    pub state: StateWrites,
}

impl<T> From<T> for Planned<T> {
    /// A plan of a policy that keeps nothing.
    fn from(plan: T) -> Self {
        Self { plan, state: StateWrites::default() }
    }
}

impl<T> Planned<T> {
    /// Another plan with the same state.
    pub fn with<U>(self, plan: U) -> Planned<U> {
        Planned { plan, state: self.state }
    }
}

impl<T> Deref for Planned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.plan
    }
}
