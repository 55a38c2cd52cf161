//! A pretended version 0.2 beside 0.1, to show that two majors are served at once and what the next one takes: bindings of
//! its own, its host functions over the same [`Context`], and its answers turned into the model's words. In no build but
//! the tests' (feature `pretended-next`).
#![allow(unreachable_pub, reason = "the generated bindings publish the types that stand behind handles")]

use super::v0_1::lifecycle::HeldOperation;
use crate::context::Context;
use bindings::davit::{lifecycle::host, types::types};
use davit_model::error::PolicyError;
use wasmtime::component::{HasSelf, Linker, Resource};

pub(crate) mod bindings {
    //! Generated from the pretended contract.
    #![allow(missing_docs, missing_debug_implementations, unreachable_pub, dead_code, reason = "generated")]
    #![allow(clippy::cast_possible_truncation, clippy::allow_attributes_without_reason, reason = "generated")]

    wasmtime::component::bindgen!({
        world: "davit:lifecycle/policy@0.2.0",
        path: ["tests/versions/pretended-0.2/types", "tests/versions/pretended-0.2/lifecycle"],
        imports: { default: trappable },
        exports: { default: async },
        with: { "davit:lifecycle/host.operation": crate::contract::v0_1::lifecycle::HeldOperation },
    });
}

pub(crate) use bindings::exports::davit::lifecycle::admit;

/// Links what a guest of the pretended version may import.
pub(crate) fn add_to_linker(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, HasSelf<_>>(linker, |c| c)?;
    host::add_to_linker::<_, HasSelf<_>>(linker, |c| c)
}

impl types::Host for Context {}

impl host::Host for Context {}

impl host::HostOperation for Context {
    fn asked(&mut self, operation: Resource<HeldOperation>) -> wasmtime::Result<host::Asked> {
        self.enter()?;
        let operation = &self.table().get(&operation)?.0;
        Ok(host::Asked { kind: operation.kind.clone(), caller: operation.caller.0.clone() })
    }

    fn image(&mut self, operation: Resource<HeldOperation>) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        Ok(self.table().get(&operation)?.0.image.clone())
    }

    fn drop(&mut self, operation: Resource<HeldOperation>) -> wasmtime::Result<()> {
        self.table().delete(operation)?;
        Ok(())
    }
}

/// A verdict of the pretended version, as this engine understands verdicts.
pub(crate) fn verdict(answer: Result<admit::Verdict, types::Error>) -> Result<(), PolicyError> {
    match answer {
        Ok(admit::Verdict { permitted: true, .. }) => Ok(()),
        Ok(admit::Verdict { reason, .. }) => Err(PolicyError::Denied(super::v0_1::shown(&reason))),
        Err(types::Error::Denied(text)) => Err(PolicyError::Denied(super::v0_1::shown(&text))),
        Err(types::Error::Internal(text)) => Err(PolicyError::Internal(super::v0_1::shown(&text))),
        Err(types::Error::TooOften(retry_ms)) => {
            Err(PolicyError::Unavailable { retry_ms, message: "asked too often".to_owned() })
        }
    }
}
