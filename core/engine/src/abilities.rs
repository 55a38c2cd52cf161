//! What this machine can do for containers, asked of its kernel: for `info`, and before a limit is promised.

use crate::{Engine, EngineError};
use davit_model::container::Limits;
use davit_runtime::cgroup::Abilities;
use std::path::Path;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Which limits there are.
    pub limits: Abilities,
    /// IPv4 packets are forwarded between interfaces.
    pub ipv4_forwarding: bool,
    /// System calls can be filtered.
    pub seccomp: bool,
    /// Containers have control group namespaces of their own.
    pub cgroup_namespaces: bool,
}

impl Engine {
    /// Looks; the answer about limits is kept, because control groups do not change under a daemon.
    pub(crate) async fn machine(&self) -> Machine {
        let on = |file: &str| std::fs::read_to_string(file).is_ok_and(|text| text.trim() != "0");
        Machine {
            limits: self.abilities().await,
            ipv4_forwarding: on("/proc/sys/net/ipv4/ip_forward"),
            seccomp: Path::new("/proc/sys/kernel/seccomp/actions_avail").exists(),
            cgroup_namespaces: Path::new("/proc/self/ns/cgroup").exists(),
        }
    }

    async fn abilities(&self) -> Abilities {
        let (cgroups, parent) = (self.inner.cgroups.clone(), format!("/davit-{}", self.inner.instance));
        let look = || async move {
            let looked = tokio::task::spawn_blocking(move || {
                let found = cgroups.abilities(&format!("{parent}/abilities"))?;
                cgroups.prune(&parent).map(|()| found)
            });
            match looked.await.map_err(|e| EngineError::internal("looking", e)) {
                Ok(Ok(found)) => Ok(found),
                Ok(Err(e)) => Err(crate::launch::cgroup_error(e)),
                Err(e) => Err(e),
            }
        };
        match self.inner.abilities.get_or_try_init(look).await {
            Ok(found) => *found,
            Err(e) => {
                tracing::warn!("finding out what can be limited: {e}");
                Abilities::default()
            }
        }
    }

    /// Refuses limits that were asked for and that this machine does not have. A default that it does not have is left
    /// out, with a warning.
    pub(crate) async fn check_limits(
        &self,
        limits: &mut Limits,
        warnings: &mut Vec<String>,
    ) -> Result<(), EngineError> {
        if *limits == Limits::default() {
            return Ok(());
        }
        check(limits, self.abilities().await, warnings)?;
        crate::cpus::check(limits)
    }
}

fn check(limits: &mut Limits, can: Abilities, warnings: &mut Vec<String>) -> Result<(), EngineError> {
    let asked = [
        ("memory", limits.memory.is_some() || limits.memory_reservation.is_some(), can.memory),
        ("memory and swap together", limits.memory_swap.is_some_and(|s| s != -1), can.swap),
        (
            "CPU time",
            limits.nano_cpus.is_some() || limits.cpu_quota.is_some() || limits.cpu_period.is_some(),
            can.cpu_quota,
        ),
        ("CPU shares", limits.cpu_shares.is_some(), can.cpu_shares),
        ("the set of CPUs", limits.cpuset_cpus.is_some() || limits.cpuset_mems.is_some(), can.cpuset),
        ("the number of processes", limits.pids.is_some(), can.pids),
    ];
    if let Some((what, ..)) = asked.iter().find(|(_, asked, can)| *asked && !can) {
        return Err(EngineError::invalid(format!(
            "{what} cannot be limited on this machine: its kernel has no control group for that; \
             create the container without that limit (see davit info)"
        )));
    }
    if limits.memory.is_some() && limits.memory_swap.is_none() && !can.swap {
        limits.memory_swap = Some(-1);
        warnings.push("this kernel does not limit swap: memory is limited without swap".to_owned());
    }
    Ok(())
}

impl Machine {
    /// Whatever is missing, in words.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let limits = &self.limits;
        let missing = [
            (limits.memory, "No memory limit support"),
            (limits.swap, "No swap limit support"),
            (limits.cpu_quota, "No cpu cfs quota support"),
            (limits.cpu_shares, "No cpu shares support"),
            (limits.cpuset, "No cpuset support"),
            (limits.pids, "No pids limit support"),
            (self.ipv4_forwarding, "IPv4 forwarding is disabled"),
            (self.seccomp, "No seccomp support"),
        ];
        missing.iter().filter(|(there, _)| !there).map(|(_, what)| format!("WARNING: {what}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_was_asked_for_is_refused_and_a_default_is_left_out() {
        let some = Abilities { memory: true, pids: true, ..Abilities::default() };
        let mut warnings = Vec::new();
        let mut memory = Limits { memory: Some(1 << 26), pids: Some(5), ..Limits::default() };
        check(&mut memory, some, &mut warnings).unwrap();
        assert_eq!((memory.memory_swap, warnings.len()), (Some(-1), 1));
        for limits in [
            Limits { memory: Some(1 << 26), memory_swap: Some(1 << 27), ..Limits::default() },
            Limits { nano_cpus: Some(1), ..Limits::default() },
            Limits { cpu_shares: Some(2), ..Limits::default() },
            Limits { cpuset_cpus: Some("0".into()), ..Limits::default() },
        ] {
            let refused = check(&mut limits.clone(), some, &mut warnings).unwrap_err();
            assert!(refused.message().contains("cannot be limited on this machine"), "{limits:?}: {refused}");
        }
    }
}
