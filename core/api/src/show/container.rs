//! A container for `inspect`.

use super::{
    host_config::host_config,
    settings::settings,
    time::{rfc3339, rfc3339_nano},
};
use davit_engine::{
    ContainerDetails,
    record::{ContainerRecord, MountRecord, Status},
};
use serde_json::{Map, Value, json};

/// A container with all that is known of it.
pub(crate) fn inspect(details: &ContainerDetails) -> Value {
    let record = &details.record;
    let (path, args) = match record.process.args.split_first() {
        Some((path, args)) => (path.as_str(), args),
        None => ("", &[][..]),
    };
    let mounts: Vec<Value> = record.mounts.iter().map(mount).collect();
    let exec_ids = (!details.exec_ids.is_empty()).then_some(&details.exec_ids);
    json!({
        "Id": record.id.as_str(),
        "Created": rfc3339_nano(record.created),
        "Path": path,
        "Args": args,
        "State": state(record),
        "Image": record.image.to_string(),
        "ResolvConfPath": details.resolv_path,
        "HostnamePath": details.hostname_path,
        "HostsPath": details.hosts_path,
        "LogPath": details.log_path,
        "Name": format!("/{}", record.name),
        "RestartCount": record.state.restarts,
        "Driver": record.driver,
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": exec_ids,
        "HostConfig": host_config(record),
        "GraphDriver": {"Name": record.driver, "Data": {}},
        "Mounts": mounts,
        "Config": config(record),
        "NetworkSettings": settings(record),
    })
}

/// A container's state.
fn state(record: &ContainerRecord) -> Value {
    let state = &record.state;
    json!({
        "Status": state.status.as_str(),
        "Running": matches!(state.status, Status::Running | Status::Paused | Status::Restarting),
        "Paused": state.status == Status::Paused,
        "Restarting": state.status == Status::Restarting,
        "OOMKilled": state.oom_killed,
        "Dead": state.status == Status::Dead,
        "Pid": state.pid,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": rfc3339(state.started),
        "FinishedAt": rfc3339(state.finished),
    })
}

/// The container's own part, with the image's configuration merged in.
fn config(record: &ContainerRecord) -> Value {
    let (spec, process) = (&record.spec, &record.process);
    let asked = |name: &str| spec.as_asked.get(name).cloned().unwrap_or(Value::Null);
    let flag = |name: &str| asked(name).as_bool().unwrap_or(false);
    let set = |keys: &[String]| -> Map<String, Value> { keys.iter().map(|k| (k.clone(), json!({}))).collect() };
    let mut config = json!({
        "Hostname": spec.hostname.as_deref().unwrap_or_else(|| record.id.short()),
        "Domainname": spec.domainname.as_deref().unwrap_or(""),
        "User": process.user,
        "AttachStdin": flag("AttachStdin"),
        "AttachStdout": flag("AttachStdout"),
        "AttachStderr": flag("AttachStderr"),
        "Tty": spec.tty,
        "OpenStdin": spec.open_stdin,
        "StdinOnce": spec.stdin_once,
        "Env": process.env,
        "Cmd": words(&process.cmd),
        "Image": spec.image,
        "Volumes": asked("Volumes").as_object().filter(|v| !v.is_empty()),
        "WorkingDir": process.cwd,
        "Entrypoint": words(&process.entrypoint),
        "OnBuild": null,
        "Labels": record.labels,
    });
    if let Some(fields) = config.as_object_mut() {
        if !record.exposed_ports.is_empty() {
            fields.insert("ExposedPorts".to_owned(), Value::Object(set(&record.exposed_ports)));
        }
        if !process.stop_signal.is_empty() {
            fields.insert("StopSignal".to_owned(), json!(process.stop_signal));
        }
        if let Some(seconds) = spec.stop_timeout {
            fields.insert("StopTimeout".to_owned(), json!(seconds));
        }
    }
    config
}

fn words(list: &[String]) -> Value {
    if list.is_empty() { Value::Null } else { json!(list) }
}

/// A mount, for `inspect` and `ps`.
pub(crate) fn mount(m: &MountRecord) -> Value {
    let mut shown = json!({
        "Type": m.kind,
        "Source": m.source,
        "Destination": m.target,
        "Mode": if m.read_only { "ro" } else { "" },
        "RW": !m.read_only,
        "Propagation": m.propagation,
    });
    if let (Some(name), Some(fields)) = (&m.name, shown.as_object_mut()) {
        fields.insert("Name".to_owned(), json!(name));
        fields.insert("Driver".to_owned(), json!("local"));
    }
    shown
}
