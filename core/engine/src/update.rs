//! `update`: other limits and another restart policy for a container, also while it runs.

use crate::{Engine, EngineError, create::event_attributes, launch::cgroup_error, spec};
use davit_model::{container::Limits, id::Caller};

/// What is to change; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpdateOptions {
    /// Limits.
    pub limits: Limits,
    /// The policy's name and its most tries.
    pub restart: Option<(String, u32)>,
}

impl Engine {
    /// Changes limits and restart policy; answers warnings.
    pub async fn update(
        &self,
        caller: &Caller,
        name: &str,
        options: UpdateOptions,
    ) -> Result<Vec<String>, EngineError> {
        let container = self.inner.containers.find(name)?;
        let _transition = container.begin().await;
        let before = container.record();
        if options.restart.as_ref().is_some_and(|(policy, _)| policy != "no") && before.spec.auto_remove {
            return Err(EngineError::conflict(
                "Restart policy cannot be updated because AutoRemove is enabled for the container",
            ));
        }
        let mut after = before.clone();
        after.spec.limits = merged(&before.spec.limits, &options.limits)?;
        if let Some((policy, tries)) = options.restart {
            (after.spec.restart_policy, after.spec.restart_max) = (Some(policy), tries);
        }
        self.admit(&crate::lifecycle::container_operation("container.update", caller, &after)?).await?;
        let mut warnings = Vec::new();
        self.check_limits(&mut after.spec.limits, &mut warnings).await?;
        let resources = spec::resources(&after)?;
        if before.state.status.has_process() && after.spec.limits != before.spec.limits {
            let (cgroups, path) = (self.inner.cgroups.clone(), self.inner.cgroup_path(&container.id));
            let set = move || cgroups.open(&path).and_then(|group| group.update(&resources));
            let set = tokio::task::spawn_blocking(set).await.map_err(|e| EngineError::internal("updating", e))?;
            set.map_err(|e| cgroup_error(e).context("updating the limits of a container that runs"))?;
        }
        // Only these fields: the container may have ended meanwhile.
        let saved = container.change(|r| {
            r.spec.limits = after.spec.limits;
            r.spec.restart_policy = after.spec.restart_policy;
            r.spec.restart_max = after.spec.restart_max;
        });
        self.inner.save(&saved).await?;
        self.publish("container.update", container.id.as_str(), event_attributes(&saved));
        Ok(warnings)
    }
}

/// The old limits with the new ones over them.
fn merged(old: &Limits, new: &Limits) -> Result<Limits, EngineError> {
    let memory = new.memory.or(old.memory);
    let swap = new.memory_swap.or(old.memory_swap);
    if new.memory.is_some()
        && new.memory_swap.is_none()
        && let (Some(memory), Some(swap)) = (memory, swap.and_then(|s| u64::try_from(s).ok()))
        && memory > swap
    {
        return Err(EngineError::invalid(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        ));
    }
    // Billionths of a CPU and a quota are two words for one thing: the new one replaces the other.
    let quota_asked = new.cpu_quota.is_some() || new.cpu_period.is_some();
    Ok(Limits {
        memory,
        memory_swap: swap,
        memory_reservation: new.memory_reservation.or(old.memory_reservation),
        nano_cpus: new.nano_cpus.or(old.nano_cpus.filter(|_| !quota_asked)),
        cpu_shares: new.cpu_shares.or(old.cpu_shares),
        cpu_quota: new.cpu_quota.or(old.cpu_quota.filter(|_| new.nano_cpus.is_none())),
        cpu_period: new.cpu_period.or(old.cpu_period.filter(|_| new.nano_cpus.is_none())),
        cpuset_cpus: new.cpuset_cpus.clone().or_else(|| old.cpuset_cpus.clone()),
        cpuset_mems: new.cpuset_mems.clone().or_else(|| old.cpuset_mems.clone()),
        pids: new.pids.or(old.pids),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_stays_and_one_word_for_cpu_time_replaces_the_other() {
        let old = Limits { memory: Some(64), nano_cpus: Some(5), pids: Some(9), ..Limits::default() };
        let new = Limits { cpu_quota: Some(50_000), cpu_period: Some(100_000), ..Limits::default() };
        let got = merged(&old, &new).unwrap();
        assert_eq!((got.memory, got.nano_cpus, got.cpu_quota, got.pids), (Some(64), None, Some(50_000), Some(9)));
        let back = merged(&got, &Limits { nano_cpus: Some(7), ..Limits::default() }).unwrap();
        assert_eq!((back.nano_cpus, back.cpu_quota, back.cpu_period), (Some(7), None, None));
    }

    #[test]
    fn memory_does_not_pass_the_swap_that_is_set() {
        let old = Limits { memory: Some(64), memory_swap: Some(128), ..Limits::default() };
        assert!(merged(&old, &Limits { memory: Some(256), ..Limits::default() }).is_err());
        let both = Limits { memory: Some(256), memory_swap: Some(256), ..Limits::default() };
        assert_eq!(merged(&old, &both).unwrap().memory, Some(256));
    }
}
