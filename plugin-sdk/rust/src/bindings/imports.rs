//! Everything that a plugin may import. What a plugin does not use does not end up in its component.

wit_bindgen::generate!({
    inline: "
        package davit:sdk;

        world imports {
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
    generate_all,
    additional_derives: [PartialEq, Eq],
    pub_export_macro: true,
});
