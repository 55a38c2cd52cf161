//! Names for containers that nobody named: a calm adjective and a thing of the sea.

use crate::{EngineError, engine::random};
use davit_model::id::ObjectName;

const ADJECTIVES: [&str; 32] = [
    "able", "ample", "bold", "brave", "bright", "brisk", "calm", "clear", "deep", "eager", "early", "even", "fair",
    "fast", "firm", "fresh", "gentle", "glad", "keen", "light", "merry", "mild", "neat", "plain", "proud", "quick",
    "quiet", "ready", "sharp", "steady", "swift", "warm",
];
const NOUNS: [&str; 32] = [
    "anchor", "barge", "beacon", "bilge", "boom", "bosun", "bow", "buoy", "cabin", "cleat", "coast", "cutter",
    "dinghy", "dock", "ferry", "fluke", "galley", "gull", "harbor", "helm", "hull", "jetty", "keel", "lagoon", "mast",
    "oar", "pier", "reef", "rudder", "sail", "tide", "wharf",
];

/// A name; after a few attempts that were taken, with a number behind it.
pub(crate) fn generate(attempt: usize) -> Result<ObjectName, EngineError> {
    let [a, b, c, ..] = random()?;
    let adjective = ADJECTIVES.get(usize::from(a) % 32).unwrap_or(&"calm");
    let noun = NOUNS.get(usize::from(b) % 32).unwrap_or(&"keel");
    let name = if attempt < 8 { format!("{adjective}_{noun}") } else { format!("{adjective}_{noun}{}{c}", attempt) };
    name.parse().map_err(|e| EngineError::internal("making a name", e))
}
