//! Kernel settings that a container is to have: looked at when it is created, so that nobody finds out at the start. The
//! runtime holds the same again against the namespaces that it made.

use crate::EngineError;
use davit_model::container::ContainerSpec;
use davit_runtime::sysctl::Namespace;

/// Refuses what would be set for the whole host.
pub(crate) fn check(spec: &ContainerSpec) -> Result<(), EngineError> {
    let shared = |kind: &str| spec.host_namespaces.iter().any(|name| name == kind);
    for key in spec.sysctls.keys() {
        let (shared, kind) = match Namespace::of(key) {
            Some(Namespace::Network) => (spec.network == "host", "network"),
            Some(Namespace::Ipc) => (shared("ipc"), "ipc"),
            Some(Namespace::Uts) => (shared("uts"), "uts"),
            None => {
                return Err(EngineError::invalid(format!(
                    "sysctl '{key}' is not allowed: it is in no namespace, and would be set for the whole machine"
                )));
            }
        };
        if shared {
            return Err(EngineError::invalid(format!("sysctl '{key}' is not allowed in the host's {kind} namespace")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: &str, change: impl FnOnce(&mut ContainerSpec)) -> Result<(), EngineError> {
        let mut spec = ContainerSpec { sysctls: [(key.to_owned(), "1".to_owned())].into(), ..ContainerSpec::default() };
        change(&mut spec);
        check(&spec)
    }

    #[test]
    fn a_container_changes_the_settings_of_its_own_namespaces_and_no_others() {
        with("net.core.somaxconn", |_| {}).unwrap();
        with("kernel.shmmax", |_| {}).unwrap();
        for key in ["vm.swappiness", "kernel.core_pattern", "net/../kernel/panic"] {
            assert!(with(key, |_| {}).unwrap_err().to_string().contains(key));
        }
        with("net.core.somaxconn", |spec| spec.network = "host".into()).unwrap_err();
        with("kernel.shmmax", |spec| spec.host_namespaces = ["ipc".to_owned()].into()).unwrap_err();
        with("kernel.domainname", |spec| spec.host_namespaces = ["uts".to_owned()].into()).unwrap_err();
    }
}
