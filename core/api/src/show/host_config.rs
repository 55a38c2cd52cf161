//! `HostConfig` for `inspect`: Docker's defaults, then what the client asked, then what policy made of it.

use davit_engine::record::ContainerRecord;
use serde_json::{Map, Value, json};

/// The host's part of a container, as `inspect` shows it.
pub(crate) fn host_config(record: &ContainerRecord) -> Value {
    let Value::Object(mut shown) = defaults() else { return Value::Null };
    let asked = record.spec.as_asked.get("HostConfig").and_then(Value::as_object);
    for (name, value) in asked.into_iter().flatten() {
        if !value.is_null() {
            shown.insert(name.clone(), value.clone());
        }
    }
    in_force(record, &mut shown);
    Value::Object(shown)
}

/// Fields that policy may have changed, as they are in force.
fn in_force(record: &ContainerRecord, shown: &mut Map<String, Value>) {
    let (spec, limits) = (&record.spec, &record.spec.limits);
    let policy = spec.restart_policy.as_deref().unwrap_or("no");
    let fields = [
        ("NetworkMode", json!(super::settings::network_name(record))),
        ("AutoRemove", json!(spec.auto_remove)),
        ("Privileged", json!(spec.privileged)),
        ("ReadonlyRootfs", json!(spec.read_only)),
        ("RestartPolicy", json!({"Name": policy, "MaximumRetryCount": spec.restart_max})),
        ("Memory", json!(limits.memory.unwrap_or(0))),
        ("MemorySwap", json!(limits.memory_swap.unwrap_or(0))),
        ("MemoryReservation", json!(limits.memory_reservation.unwrap_or(0))),
        ("NanoCpus", json!(limits.nano_cpus.unwrap_or(0))),
        ("CpuShares", json!(limits.cpu_shares.unwrap_or(0))),
        ("CpuQuota", json!(limits.cpu_quota.unwrap_or(0))),
        ("CpuPeriod", json!(limits.cpu_period.unwrap_or(0))),
        ("CpusetCpus", json!(limits.cpuset_cpus.as_deref().unwrap_or(""))),
        ("CpusetMems", json!(limits.cpuset_mems.as_deref().unwrap_or(""))),
        ("PidsLimit", json!(limits.pids)),
        ("CapAdd", list(&spec.cap_add)),
        ("CapDrop", list(&spec.cap_drop)),
        ("SecurityOpt", list(&spec.security_opt)),
        ("ShmSize", json!(spec.shm_size.unwrap_or(64 * 1024 * 1024))),
    ];
    for (name, value) in fields {
        shown.insert(name.to_owned(), value);
    }
}

fn list(words: &[String]) -> Value {
    if words.is_empty() { Value::Null } else { json!(words) }
}

fn defaults() -> Value {
    json!({
        "Binds": null, "ContainerIDFile": "", "LogConfig": {"Type": "json-file", "Config": {}}, "PortBindings": {},
        "VolumeDriver": "", "VolumesFrom": null, "ConsoleSize": [0, 0], "CgroupnsMode": "private", "Dns": [],
        "DnsOptions": [], "DnsSearch": [], "ExtraHosts": null, "GroupAdd": null, "IpcMode": "private", "Cgroup": "",
        "Links": null, "OomScoreAdj": 0, "PidMode": "", "PublishAllPorts": false, "UTSMode": "", "UsernsMode": "",
        "Runtime": "davit", "Isolation": "", "CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": [],
        "BlkioDeviceReadBps": [], "BlkioDeviceWriteBps": [], "BlkioDeviceReadIOps": [], "BlkioDeviceWriteIOps": [],
        "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "Devices": [], "DeviceCgroupRules": null,
        "DeviceRequests": null, "MemorySwappiness": null, "OomKillDisable": false, "Ulimits": [], "CpuCount": 0,
        "CpuPercent": 0, "IOMaximumIOps": 0, "IOMaximumBandwidth": 0, "MaskedPaths": null, "ReadonlyPaths": null
    })
}
