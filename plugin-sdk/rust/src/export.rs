//! The one macro: says which type answers for which interface.

/// Makes a type the plugin's answer. One kind to a plugin; the first word says which, optional interfaces follow.
///
/// ```ignore
/// davit_plugin_sdk::export!(storage: MyDriver);
/// davit_plugin_sdk::export!(storage: MyDriver, usage, reconcile, released);
/// davit_plugin_sdk::export!(network: MyDriver, released);
/// davit_plugin_sdk::export!(registry_auth: MyAuth, resolver, verifier);
/// davit_plugin_sdk::export!(lifecycle: MyPolicy, mutate, admit, before_start, after_exit, observe);
/// ```
#[cfg(target_arch = "wasm32")]
#[macro_export]
macro_rules! export {
    (storage: $plugin:ty $(, $more:ident)* $(,)?) => {
        type DavitAdapter = $crate::storage::Adapter<$plugin>;
        $crate::export!(@one storage driver);
        $($crate::export!(@one storage $more);)*
    };
    (network: $plugin:ty $(, $more:ident)* $(,)?) => {
        type DavitAdapter = $crate::network::Adapter<$plugin>;
        $crate::export!(@one network driver);
        $($crate::export!(@one network $more);)*
    };
    (registry_auth: $plugin:ty $(, $more:ident)* $(,)?) => {
        type DavitAdapter = $crate::auth::Adapter<$plugin>;
        $crate::export!(@one auth authenticator);
        $($crate::export!(@one auth $more);)*
    };
    (lifecycle: $plugin:ty $(, $hook:ident)+ $(,)?) => {
        type DavitAdapter = $crate::lifecycle::Adapter<$plugin>;
        $($crate::export!(@one lifecycle $hook);)+
    };
    (@one storage driver) => { $crate::export!(@with storage_driver export_storage_driver); };
    (@one storage usage) => { $crate::export!(@with storage_usage export_storage_usage); };
    (@one storage reconcile) => { $crate::export!(@with storage_reconcile export_storage_reconcile); };
    (@one storage released) => { $crate::export!(@with storage_released export_storage_released); };
    (@one network driver) => { $crate::export!(@with network_driver export_network_driver); };
    (@one network released) => { $crate::export!(@with network_released export_network_released); };
    (@one auth authenticator) => { $crate::export!(@with authenticator export_authenticator); };
    (@one auth resolver) => { $crate::export!(@with resolver export_resolver); };
    (@one auth verifier) => { $crate::export!(@with verifier export_verifier); };
    (@one lifecycle mutate) => { $crate::export!(@with mutate export_mutate); };
    (@one lifecycle admit) => { $crate::export!(@with admit export_admit); };
    (@one lifecycle before_start) => { $crate::export!(@with before_start export_before_start); };
    (@one lifecycle after_exit) => { $crate::export!(@with after_exit export_after_exit); };
    (@one lifecycle observe) => { $crate::export!(@with observe export_observe); };
    (@with $module:ident $name:ident) => {
        $crate::bindings::exports::$module::$name!(DavitAdapter with_types_in $crate::bindings::exports::$module);
    };
}

/// Natively there is nobody to export to: that the type has the traits is all that is held.
#[cfg(not(target_arch = "wasm32"))]
#[macro_export]
macro_rules! export {
    (storage: $plugin:ty $(, $more:ident)* $(,)?) => {
        $crate::export!(@is $plugin, storage, StorageDriver);
        $($crate::export!(@one $plugin, storage $more);)*
    };
    (network: $plugin:ty $(, $more:ident)* $(,)?) => {
        $crate::export!(@is $plugin, network, NetworkDriver);
        $($crate::export!(@one $plugin, network $more);)*
    };
    (registry_auth: $plugin:ty $(, $more:ident)* $(,)?) => {
        $crate::export!(@is $plugin, auth, RegistryAuth);
        $($crate::export!(@one $plugin, auth $more);)*
    };
    (lifecycle: $plugin:ty $(, $hook:ident)+ $(,)?) => {
        $($crate::export!(@one $plugin, lifecycle $hook);)+
    };
    (@one $plugin:ty, storage usage) => { $crate::export!(@is $plugin, storage, Usage); };
    (@one $plugin:ty, storage reconcile) => { $crate::export!(@is $plugin, storage, Reconcile); };
    (@one $plugin:ty, storage released) => { $crate::export!(@is $plugin, storage, Released); };
    (@one $plugin:ty, network released) => { $crate::export!(@is $plugin, network, Released); };
    (@one $plugin:ty, auth resolver) => { $crate::export!(@is $plugin, auth, Resolver); };
    (@one $plugin:ty, auth verifier) => { $crate::export!(@is $plugin, auth, Verifier); };
    (@one $plugin:ty, lifecycle mutate) => { $crate::export!(@is $plugin, lifecycle, Mutate); };
    (@one $plugin:ty, lifecycle admit) => { $crate::export!(@is $plugin, lifecycle, Admit); };
    (@one $plugin:ty, lifecycle before_start) => { $crate::export!(@is $plugin, lifecycle, BeforeStart); };
    (@one $plugin:ty, lifecycle after_exit) => { $crate::export!(@is $plugin, lifecycle, AfterExit); };
    (@one $plugin:ty, lifecycle observe) => { $crate::export!(@is $plugin, lifecycle, Observe); };
    (@is $plugin:ty, $kind:ident, $trait:ident) => {
        const _: fn() = || {
            fn has<T: $crate::$kind::$trait>() {}
            has::<$plugin>();
        };
    };
}
