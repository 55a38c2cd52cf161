//! One set of bindings for each interface that a plugin may export: a world of its own each, merged when the component
//! is made, so that a component exports exactly what its author named.

pub mod storage_driver {
    wit_bindgen::generate!({
        inline: "package davit:sdk-storage-driver; world storage-driver-only { export davit:storage/driver@0.1.0; }",
        path: [
            "../../wit/types",
            "../../wit/host",
            "../../wit/storage",
        ],
        with: {
            "davit:types/types@0.1.0": crate::bindings::imports::davit::types::types,
            "davit:storage/host@0.1.0": crate::bindings::imports::davit::storage::host,
        },
        pub_export_macro: true,
        export_macro_name: "export_storage_driver",
    });
}

pub mod storage_usage {
    wit_bindgen::generate!({
        inline: "package davit:sdk-storage-usage; world storage-usage-only { export davit:storage/usage@0.1.0; }",
        path: [
            "../../wit/types",
            "../../wit/host",
            "../../wit/storage",
        ],
        with: {
            "davit:types/types@0.1.0": crate::bindings::imports::davit::types::types,
            "davit:storage/host@0.1.0": crate::bindings::imports::davit::storage::host,
        },
        pub_export_macro: true,
        export_macro_name: "export_storage_usage",
    });
}

pub mod storage_reconcile {
    wit_bindgen::generate!({
        inline: "package davit:sdk-storage-reconcile; world storage-reconcile-only { export davit:storage/reconcile@0.1.0; }",
        path: [
            "../../wit/types",
            "../../wit/host",
            "../../wit/storage",
        ],
        with: {
            "davit:types/types@0.1.0": crate::bindings::imports::davit::types::types,
            "davit:storage/host@0.1.0": crate::bindings::imports::davit::storage::host,
        },
        pub_export_macro: true,
        export_macro_name: "export_storage_reconcile",
    });
}

pub mod storage_released {
    wit_bindgen::generate!({
        inline: "package davit:sdk-storage-released; world storage-released-only { export davit:storage/released@0.1.0; }",
        path: [
            "../../wit/types",
            "../../wit/host",
            "../../wit/storage",
        ],
        with: {
            "davit:types/types@0.1.0": crate::bindings::imports::davit::types::types,
        },
        pub_export_macro: true,
        export_macro_name: "export_storage_released",
    });
}

pub mod network_driver {
    wit_bindgen::generate!({
        inline: "package davit:sdk-network-driver; world network-driver-only { export davit:network/driver@0.1.0; }",
        path: [
            "../../wit/types",
            "../../wit/host",
            "../../wit/network",
        ],
        with: {
            "davit:types/types@0.1.0": crate::bindings::imports::davit::types::types,
            "davit:network/host@0.1.0": crate::bindings::imports::davit::network::host,
        },
        pub_export_macro: true,
        export_macro_name: "export_network_driver",
    });
}

pub mod network_released {
    wit_bindgen::generate!({
        inline: "package davit:sdk-network-released; world network-released-only { export davit:network/released@0.1.0; }",
        path: [
            "../../wit/types",
            "../../wit/host",
            "../../wit/network",
        ],
        with: {
            "davit:types/types@0.1.0": crate::bindings::imports::davit::types::types,
        },
        pub_export_macro: true,
        export_macro_name: "export_network_released",
    });
}

pub mod authenticator {
    wit_bindgen::generate!({
        inline: "package davit:sdk-authenticator; world authenticator-only { export davit:registry-auth/authenticator@0.1.0; }",
        path: [
            "../../wit/types",
            "../../wit/host",
            "../../wit/registry-auth",
        ],
        with: {
            "davit:types/types@0.1.0": crate::bindings::imports::davit::types::types,
            "davit:registry-auth/host@0.1.0": crate::bindings::imports::davit::registry_auth::host,
            "davit:host/secrets@0.1.0": crate::bindings::imports::davit::host::secrets,
        },
        pub_export_macro: true,
        export_macro_name: "export_authenticator",
    });
}

pub mod resolver {
    wit_bindgen::generate!({
        inline: "package davit:sdk-resolver; world resolver-only { export davit:registry-auth/resolver@0.1.0; }",
        path: [
            "../../wit/types",
            "../../wit/host",
            "../../wit/registry-auth",
        ],
        with: {
            "davit:types/types@0.1.0": crate::bindings::imports::davit::types::types,
            "davit:registry-auth/host@0.1.0": crate::bindings::imports::davit::registry_auth::host,
            "davit:host/secrets@0.1.0": crate::bindings::imports::davit::host::secrets,
        },
        pub_export_macro: true,
        export_macro_name: "export_resolver",
    });
}

pub mod verifier {
    wit_bindgen::generate!({
        inline: "package davit:sdk-verifier; world verifier-only { export davit:registry-auth/verifier@0.1.0; }",
        path: [
            "../../wit/types",
            "../../wit/host",
            "../../wit/registry-auth",
        ],
        with: {
            "davit:types/types@0.1.0": crate::bindings::imports::davit::types::types,
            "davit:registry-auth/host@0.1.0": crate::bindings::imports::davit::registry_auth::host,
            "davit:host/secrets@0.1.0": crate::bindings::imports::davit::host::secrets,
        },
        pub_export_macro: true,
        export_macro_name: "export_verifier",
    });
}

pub mod mutate {
    wit_bindgen::generate!({
        inline: "package davit:sdk-mutate; world mutate-only { export davit:lifecycle/mutate@0.1.0; }",
        path: [
            "../../wit/types",
            "../../wit/host",
            "../../wit/lifecycle",
        ],
        with: {
            "davit:types/types@0.1.0": crate::bindings::imports::davit::types::types,
            "davit:lifecycle/host@0.1.0": crate::bindings::imports::davit::lifecycle::host,
        },
        pub_export_macro: true,
        export_macro_name: "export_mutate",
    });
}

pub mod admit {
    wit_bindgen::generate!({
        inline: "package davit:sdk-admit; world admit-only { export davit:lifecycle/admit@0.1.0; }",
        path: [
            "../../wit/types",
            "../../wit/host",
            "../../wit/lifecycle",
        ],
        with: {
            "davit:types/types@0.1.0": crate::bindings::imports::davit::types::types,
            "davit:lifecycle/host@0.1.0": crate::bindings::imports::davit::lifecycle::host,
        },
        pub_export_macro: true,
        export_macro_name: "export_admit",
    });
}

pub mod before_start {
    wit_bindgen::generate!({
        inline: "package davit:sdk-before-start; world before-start-only { export davit:lifecycle/before-start@0.1.0; }",
        path: [
            "../../wit/types",
            "../../wit/host",
            "../../wit/lifecycle",
        ],
        with: {
            "davit:types/types@0.1.0": crate::bindings::imports::davit::types::types,
            "davit:lifecycle/host@0.1.0": crate::bindings::imports::davit::lifecycle::host,
        },
        pub_export_macro: true,
        export_macro_name: "export_before_start",
    });
}

pub mod after_exit {
    wit_bindgen::generate!({
        inline: "package davit:sdk-after-exit; world after-exit-only { export davit:lifecycle/after-exit@0.1.0; }",
        path: [
            "../../wit/types",
            "../../wit/host",
            "../../wit/lifecycle",
        ],
        with: {
            "davit:types/types@0.1.0": crate::bindings::imports::davit::types::types,
            "davit:lifecycle/host@0.1.0": crate::bindings::imports::davit::lifecycle::host,
        },
        pub_export_macro: true,
        export_macro_name: "export_after_exit",
    });
}

pub mod observe {
    wit_bindgen::generate!({
        inline: "package davit:sdk-observe; world observe-only { export davit:lifecycle/observe@0.1.0; }",
        path: [
            "../../wit/types",
            "../../wit/host",
            "../../wit/lifecycle",
        ],
        with: {
            "davit:types/types@0.1.0": crate::bindings::imports::davit::types::types,
            "davit:lifecycle/host@0.1.0": crate::bindings::imports::davit::lifecycle::host,
        },
        pub_export_macro: true,
        export_macro_name: "export_observe",
    });
}
