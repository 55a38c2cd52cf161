//! What this site wants to happen around a container's life.
//!
//!     [plugins.my-plugin.config]
//!     team = "web"                     # a label for every container that has none of that name
//!     refuse = ["docker.io/"]          # images that begin with one of these are neither pulled nor run
//!     privileged = "never"             # absent: privileged containers start

use davit_plugin_sdk::{
    host::{self, config},
    lifecycle::{Adjustment, Admit, AfterExit, BeforeStart, Error, Event, Mutate, Observe, Operation, Result},
};

struct MyPlugin;

impl Mutate for MyPlugin {
    fn mutate(operation: &Operation, adjustment: &Adjustment) -> Result<()> {
        let Some(team) = config::get("team")? else { return Ok(()) };
        if operation.kind() == "container.create" && operation.field("/labels/team").is_none() {
            adjustment.set("/labels/team", &serde_json::Value::String(team).to_string())?;
        }
        Ok(())
    }
}

impl Admit for MyPlugin {
    fn admit(operation: &Operation) -> Result<()> {
        if !matches!(operation.kind().as_str(), "image.pull" | "container.create") {
            return Ok(());
        }
        let (Some(image), Some(list)) = (operation.image(), config::get("refuse")?) else { return Ok(()) };
        let refused: Vec<String> =
            serde_json::from_str(&list).map_err(|_| Error::Invalid("refuse is a list of texts".to_owned()))?;
        match refused.iter().find(|start| image.starts_with(start.as_str())) {
            Some(start) => Err(Error::Denied(format!("image {image} is refused: images that begin with {start} are"))),
            None => Ok(()),
        }
    }
}

impl BeforeStart for MyPlugin {
    fn before_start(operation: &Operation) -> Result<()> {
        if operation.privileged() && config::get("privileged")?.as_deref() == Some("never") {
            return Err(Error::Denied("privileged containers are not started here".to_owned()));
        }
        Ok(())
    }
}

impl AfterExit for MyPlugin {
    fn after_exit(_: &Operation, status: i32) -> Result<()> {
        host::info(format!("a container ended with {status}"));
        Ok(())
    }
}

impl Observe for MyPlugin {
    fn observe(event: &Event) -> Result<()> {
        host::info(format!("{} {}", event.kind(), event.actor()));
        Ok(())
    }
}

davit_plugin_sdk::export!(lifecycle: MyPlugin, mutate, admit, before_start, after_exit, observe);

#[cfg(test)]
mod tests;
