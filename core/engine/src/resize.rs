//! `resize`: the size of a container's terminal.

use crate::{Engine, EngineError};

impl Engine {
    /// Sets the terminal's size in characters.
    pub async fn resize(&self, name: &str, rows: u16, cols: u16) -> Result<(), EngineError> {
        let container = self.inner.containers.find(name)?;
        match container.live() {
            Some(live) => live.resize(rows, cols).await,
            None => Err(EngineError::conflict(format!("container {name} is not running"))),
        }
    }
}
