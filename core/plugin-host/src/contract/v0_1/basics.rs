//! `log`, `clock` and `config`: what needs no grant.

use super::{
    bindings::davit::host::{clock, config, log},
    refusal::{Answer, shown},
};
use crate::context::Context;
use davit_model::services::LogLevel;

impl log::Host for Context {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.enter()?;
        let level = match level {
            log::Level::Trace => LogLevel::Trace,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        self.log(level, &shown(&message));
        Ok(())
    }
}

impl clock::Host for Context {
    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        self.enter()?;
        Ok(self.services().now_ms())
    }

    fn monotonic_ns(&mut self) -> wasmtime::Result<u64> {
        self.enter()?;
        Ok(u64::try_from(self.began().elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

impl config::Host for Context {
    async fn get(&mut self, key: String) -> Answer<Option<String>> {
        let section = self.section().await?;
        let found = key.split('.').try_fold(section, |value, part| value.get(part));
        Ok(found.map(|value| match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        }))
    }

    async fn section_json(&mut self) -> Answer<String> {
        Ok(self.section().await?.to_string())
    }
}
