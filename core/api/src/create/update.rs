//! The body of an `update`: the part of a create request that can change afterwards.

use super::{body::HostConfig, leftover, limits, spec::restart_policy};
use crate::failure::ApiError;
use davit_engine::UpdateOptions;
use serde_json::Value;

/// Translates a request; the strings are warnings.
pub(crate) fn to_update(body: Value) -> Result<(UpdateOptions, Vec<String>), ApiError> {
    let known = [
        "Memory",
        "MemorySwap",
        "MemoryReservation",
        "NanoCpus",
        "CpuShares",
        "CpuQuota",
        "CpuPeriod",
        "CpusetCpus",
        "CpusetMems",
        "PidsLimit",
        "RestartPolicy",
    ];
    let fields = body.as_object().cloned().unwrap_or_default();
    let (asked, rest): (serde_json::Map<_, _>, serde_json::Map<_, _>) =
        fields.into_iter().partition(|(name, _)| known.contains(&name.as_str()));
    let mut warnings = Vec::new();
    leftover::check("", &rest.into_iter().collect(), &mut warnings)?;
    let host: HostConfig =
        serde_json::from_value(Value::Object(asked)).map_err(|e| ApiError::invalid(format!("invalid JSON: {e}")))?;
    let unlimited = host.pids_limit.is_some_and(|p| p < 0);
    // A memory limit that was set before counts as well, and the engine knows it.
    let swap = host.memory_swap;
    let lone_swap = host.memory.is_none_or(|m| m == 0) && swap.is_some_and(|s| s > 0);
    let checked = if lone_swap { HostConfig { memory_swap: None, ..host } } else { host };
    let mut limits = limits::limits(&checked)?;
    if lone_swap {
        limits.memory_swap = swap;
    }
    if unlimited {
        limits.pids = Some(-1);
    }
    Ok((UpdateOptions { limits, restart: restart_policy(&checked)? }, warnings))
}
