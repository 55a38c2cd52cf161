//! A policy of a pretended next version of the contract: refuses what comes from one registry, asks some to wait, and is
//! content with the rest.
#![allow(missing_docs, unsafe_code, missing_debug_implementations, reason = "generated from a pretended contract")]

wit_bindgen::generate!({
    world: "davit:lifecycle/policy@0.2.0",
    path: ["../../versions/pretended-0.2/types", "../../versions/pretended-0.2/lifecycle"],
    generate_all,
});

use davit::{lifecycle::host::Operation, types::types::Error};
use exports::davit::lifecycle::admit::{Guest, Verdict};

struct Next;

impl Guest for Next {
    fn admit(operation: Operation) -> Result<Verdict, Error> {
        let asked = operation.asked();
        if asked.caller == "uid:7" {
            return Err(Error::TooOften(250));
        }
        let image = operation.image().unwrap_or_default();
        let permitted = !image.starts_with("docker.io/");
        let reason = if permitted { String::new() } else { format!("{} of {image} is not for 0.2", asked.kind) };
        Ok(Verdict { permitted, reason })
    }
}

export!(Next);
