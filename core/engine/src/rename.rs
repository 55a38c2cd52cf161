//! `rename`: another name for a container.

use crate::{Engine, EngineError};
use davit_model::id::{Caller, ObjectName};
use std::collections::BTreeMap;

impl Engine {
    /// Gives a container the name `new`.
    pub async fn rename(&self, caller: &Caller, name: &str, new: &str) -> Result<(), EngineError> {
        let container = self.inner.containers.find(name)?;
        let new: ObjectName = new
            .trim_start_matches('/')
            .parse()
            .map_err(|e| EngineError::invalid(format!("Invalid container name: {e}")))?;
        let _transition = container.begin().await;
        self.admit(&crate::lifecycle::container_operation("container.rename", caller, &container.record())?).await?;
        let old = container.read(|r| r.name.clone());
        if old == new {
            return Err(EngineError::conflict("Renaming a container with the same name as its current name"));
        }
        self.inner.containers.reserve(&new, &container.id)?;
        let record = container.change(|r| r.name = new.clone());
        if let Err(e) = self.inner.save(&record).await {
            container.change(|r| r.name = old.clone());
            self.inner.containers.release(&new);
            return Err(e);
        }
        self.inner.containers.release(&old);
        let attributes = BTreeMap::from([
            ("name".to_owned(), new.to_string()),
            ("oldName".to_owned(), format!("/{old}")),
            ("image".to_owned(), record.spec.image.clone()),
        ]);
        self.publish("container.rename", record.id.as_str(), attributes);
        Ok(())
    }
}
