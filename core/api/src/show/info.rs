//! `version` and `info`.

use davit_api_types::{API_VERSION, MIN_API_VERSION, auth::HUB};
use davit_engine::{Info, Version, record::Status};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What this engine is.
pub(crate) fn version(v: &Version) -> Value {
    json!({
        "Platform": {"Name": "Davit"},
        "Components": [{
            "Name": "Engine",
            "Version": v.version,
            "Details": {
                "ApiVersion": API_VERSION, "MinAPIVersion": MIN_API_VERSION, "Arch": v.arch, "Os": v.os,
                "KernelVersion": v.kernel, "Experimental": "false", "GitCommit": "", "GoVersion": "", "BuildTime": "",
            },
        }],
        "Version": v.version,
        "ApiVersion": API_VERSION,
        "MinAPIVersion": MIN_API_VERSION,
        "GitCommit": "",
        "GoVersion": "",
        "Os": v.os,
        "Arch": v.arch,
        "KernelVersion": v.kernel,
        "BuildTime": "",
    })
}

/// What this engine has and found. A field that would be a guess is left out.
pub(crate) fn info(i: &Info, version: &str, now: Timestamp) -> Value {
    let count = |status: Status| i.containers.get(&status).copied().unwrap_or(0);
    let all: usize = i.containers.values().sum();
    let running = count(Status::Running) + count(Status::Restarting);
    let limits = &i.machine.limits;
    let mut security = Vec::new();
    security.extend(i.machine.seccomp.then_some("name=seccomp,profile=builtin"));
    security.extend(i.machine.cgroup_namespaces.then_some("name=cgroupns"));
    json!({
        "ID": i.id,
        "Containers": all,
        "ContainersRunning": running,
        "ContainersPaused": count(Status::Paused),
        "ContainersStopped": all - running - count(Status::Paused),
        "Images": i.images,
        "Driver": i.driver,
        "DriverStatus": i.driver_status,
        "Plugins": {"Volume": ["local"], "Network": i.network_drivers, "Authorization": null, "Log": ["json-file"]},
        "MemoryLimit": limits.memory,
        "SwapLimit": limits.swap,
        "CpuCfsPeriod": limits.cpu_quota,
        "CpuCfsQuota": limits.cpu_quota,
        "CPUShares": limits.cpu_shares,
        "CPUSet": limits.cpuset,
        "PidsLimit": limits.pids,
        "IPv4Forwarding": i.machine.ipv4_forwarding,
        "OomKillDisable": false,
        "Debug": false,
        "SystemTime": now.to_string(),
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": i.cgroup_version,
        "KernelVersion": i.kernel,
        "OperatingSystem": i.operating_system,
        "OSType": "linux",
        "Architecture": i.architecture,
        "NCPU": i.cpus,
        "MemTotal": i.memory,
        "IndexServerAddress": HUB,
        "RegistryConfig": {"InsecureRegistryCIDRs": [], "IndexConfigs": {}, "Mirrors": []},
        "DockerRootDir": i.root,
        "HttpProxy": "",
        "HttpsProxy": "",
        "NoProxy": "",
        "Name": i.hostname,
        "Labels": [],
        "ExperimentalBuild": false,
        "ServerVersion": version,
        "Runtimes": {"davit": {"path": "davit-runtime"}},
        "DefaultRuntime": "davit",
        "Swarm": {"LocalNodeState": "inactive", "ControlAvailable": false, "NodeID": "", "NodeAddr": "", "Error": "",
            "RemoteManagers": null},
        "LiveRestoreEnabled": true,
        "Isolation": "",
        "InitBinary": "",
        "SecurityOptions": security,
        "Warnings": i.warnings,
    })
}
