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
        "MemoryLimit": true,
        "SwapLimit": true,
        "CpuCfsPeriod": true,
        "CpuCfsQuota": true,
        "CPUShares": true,
        "CPUSet": true,
        "PidsLimit": true,
        "IPv4Forwarding": true,
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
        "SecurityOptions": ["name=seccomp,profile=builtin"],
        "Warnings": i.warnings,
    })
}
