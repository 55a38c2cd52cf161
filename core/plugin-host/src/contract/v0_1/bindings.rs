//! Bindings generated from `wit/`: a trait for each imported interface, indices and calls for each exported one.
//!
//! One world of everything: what a component imports of it is linked, what it exports of it is looked for one by one.
#![allow(missing_docs, missing_debug_implementations, unreachable_pub, dead_code, reason = "generated from wit/")]
#![allow(clippy::cast_possible_truncation, clippy::allow_attributes_without_reason, reason = "generated from wit/")]

wasmtime::component::bindgen!({
    inline: "
        package davit:contract;

        world everything {
            import davit:types/types@0.1.0;
            import davit:host/log@0.1.0;
            import davit:host/clock@0.1.0;
            import davit:host/config@0.1.0;
            import davit:host/state@0.1.0;
            import davit:host/secrets@0.1.0;
            import davit:host/http@0.1.0;
            import davit:storage/host@0.1.0;
            import davit:network/host@0.1.0;
            import davit:registry-auth/host@0.1.0;
            import davit:lifecycle/host@0.1.0;
            export davit:storage/driver@0.1.0;
            export davit:storage/usage@0.1.0;
            export davit:storage/reconcile@0.1.0;
            export davit:storage/released@0.1.0;
            export davit:network/driver@0.1.0;
            export davit:network/released@0.1.0;
            export davit:registry-auth/authenticator@0.1.0;
            export davit:registry-auth/resolver@0.1.0;
            export davit:registry-auth/verifier@0.1.0;
            export davit:lifecycle/mutate@0.1.0;
            export davit:lifecycle/admit@0.1.0;
            export davit:lifecycle/before-start@0.1.0;
            export davit:lifecycle/after-exit@0.1.0;
            export davit:lifecycle/observe@0.1.0;
        }
    ",
    path: [
        "../../wit/types",
        "../../wit/host",
        "../../wit/storage",
        "../../wit/network",
        "../../wit/registry-auth",
        "../../wit/lifecycle",
    ],
    imports: {
        "davit:host/config": async | trappable,
        "davit:host/state": async | trappable,
        "davit:host/secrets.named": async | trappable,
        "davit:host/secrets.stored": async | trappable,
        "davit:host/secrets.[method]secret.fingerprint": async | trappable,
        "davit:host/secrets.[method]secret.hmac-sha256": async | trappable,
        "davit:host/http.[method]request.send": async | trappable,
        "davit:network/host.[method]network-plan.subnet": async | trappable,
        "davit:network/host.[method]endpoint-plan.lease": async | trappable,
        "davit:network/host.[method]endpoint-plan.publish": async | trappable,
        "davit:registry-auth/host.[method]manifest-view.referrers": async | trappable,
        "davit:registry-auth/host.[method]manifest-view.blob": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    trappable_error_type: {
        "davit:types/types.error" => super::Refusal,
    },
    with: {
        "davit:host/secrets.secret": super::secrets::HeldSecret,
        "davit:host/secrets.credential": super::secrets::HeldCredential,
        "davit:host/http.request": super::http::Request,
        "davit:host/http.response": super::http::Response,
        "davit:storage/host.facts": super::storage::HeldFacts,
        "davit:storage/host.layer": super::storage::HeldLayer,
        "davit:storage/host.steps": super::storage::HeldSteps,
        "davit:storage/host.unpack": super::storage::HeldUnpack,
        "davit:storage/host.root": super::storage::HeldRoot,
        "davit:network/host.network-request": super::network::HeldNetworkRequest,
        "davit:network/host.port": super::network::HeldPort,
        "davit:network/host.endpoint-request": super::network::HeldEndpointRequest,
        "davit:network/host.link": super::network::HeldLink,
        "davit:network/host.subnet": super::network::HeldSubnet,
        "davit:network/host.network-plan": super::network::HeldNetworkPlan,
        "davit:network/host.network-view": super::network::HeldNetworkView,
        "davit:network/host.endpoint-plan": super::network::HeldEndpointPlan,
        "davit:registry-auth/host.challenge": super::registry_auth::HeldChallenge,
        "davit:registry-auth/host.answer": super::registry_auth::HeldAnswer,
        "davit:registry-auth/host.endpoints": super::registry_auth::HeldEndpoints,
        "davit:registry-auth/host.manifest-view": super::registry_auth::HeldManifest,
        "davit:lifecycle/host.operation": super::lifecycle::HeldOperation,
        "davit:lifecycle/host.adjustment": super::lifecycle::HeldAdjustment,
        "davit:lifecycle/host.event": super::lifecycle::HeldEvent,
    },
});
