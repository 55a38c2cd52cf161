//! Limits, in the words of the runtime specification (config-linux.md, "Control groups").

use crate::{EngineError, record::ContainerRecord};
use oci_spec::runtime as oci;

pub(crate) fn of(record: &ContainerRecord) -> Result<oci::LinuxResources, EngineError> {
    let limits = &record.spec.limits;
    let mut resources = oci::LinuxResourcesBuilder::default().devices(super::devices::rules(record)?);
    if limits.memory.is_some() || limits.memory_swap.is_some() || limits.memory_reservation.is_some() {
        resources = resources.memory(memory(limits)?);
    }
    let cpu = limits.nano_cpus.is_some()
        || limits.cpu_shares.is_some()
        || limits.cpu_quota.is_some()
        || limits.cpu_period.is_some()
        || limits.cpuset_cpus.is_some()
        || limits.cpuset_mems.is_some();
    if cpu {
        resources = resources.cpu(cpu_of(limits)?);
    }
    if let Some(pids) = limits.pids.filter(|p| *p != 0) {
        resources = resources.pids(oci::LinuxPidsBuilder::default().limit(pids).build().map_err(super::bad)?);
    }
    resources.build().map_err(super::bad)
}

fn memory(limits: &davit_model::container::Limits) -> Result<oci::LinuxMemory, EngineError> {
    let mut memory = oci::LinuxMemoryBuilder::default();
    let bytes = |b: u64| i64::try_from(b).unwrap_or(i64::MAX);
    if let Some(limit) = limits.memory {
        if limit < 6 * 1024 * 1024 {
            return Err(EngineError::invalid("Minimum memory limit allowed is 6MB"));
        }
        memory = memory.limit(bytes(limit));
    }
    match (limits.memory_swap, limits.memory) {
        (Some(_), None) => {
            return Err(EngineError::invalid(
                "You should always set the Memory limit when using Memoryswap limit, see usage",
            ));
        }
        (Some(swap), Some(limit)) if swap > 0 && swap < bytes(limit) => {
            return Err(EngineError::invalid("Minimum memoryswap limit should be larger than memory limit, see usage"));
        }
        (Some(swap), _) => memory = memory.swap(swap),
        // Docker's default: as much swap as memory.
        (None, Some(limit)) => memory = memory.swap(bytes(limit.saturating_mul(2))),
        (None, None) => {}
    }
    if let Some(reservation) = limits.memory_reservation {
        memory = memory.reservation(bytes(reservation));
    }
    memory.build().map_err(super::bad)
}

fn cpu_of(limits: &davit_model::container::Limits) -> Result<oci::LinuxCpu, EngineError> {
    const PERIOD: u64 = 100_000;
    let mut cpu = oci::LinuxCpuBuilder::default();
    if let Some(nano) = limits.nano_cpus {
        if limits.cpu_quota.is_some() || limits.cpu_period.is_some() {
            return Err(EngineError::invalid("Conflicting options: Nano CPUs and CPU Quota/Period cannot both be set"));
        }
        cpu = cpu.period(PERIOD).quota(i64::try_from(nano / 10_000).unwrap_or(i64::MAX));
    }
    if let Some(shares) = limits.cpu_shares {
        cpu = cpu.shares(shares);
    }
    if let Some(quota) = limits.cpu_quota {
        cpu = cpu.quota(quota);
    }
    if let Some(period) = limits.cpu_period {
        cpu = cpu.period(period);
    }
    if let Some(cpus) = &limits.cpuset_cpus {
        cpu = cpu.cpus(cpus.clone());
    }
    if let Some(mems) = &limits.cpuset_mems {
        cpu = cpu.mems(mems.clone());
    }
    cpu.build().map_err(super::bad)
}
