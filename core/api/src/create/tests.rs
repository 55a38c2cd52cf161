//! What clients send, and what becomes of it.

use super::{Asked, to_spec};
use serde_json::{Value, json};

fn asked(body: Value) -> Asked {
    to_spec(body).unwrap()
}

fn refusal(host: Value) -> String {
    to_spec(json!({"Image": "i", "HostConfig": host})).unwrap_err().to_string()
}

/// What `docker run --rm i echo hi` sends, version 28.
fn docker_run() -> Value {
    serde_json::from_str(
        r#"{
        "Hostname": "", "Domainname": "", "User": "", "AttachStdin": false, "AttachStdout": true, "AttachStderr": true,
        "Tty": false, "OpenStdin": false, "StdinOnce": false, "Env": null, "Cmd": ["echo", "hi"], "Image": "i",
        "Volumes": {}, "WorkingDir": "", "Entrypoint": null, "OnBuild": null, "Labels": {},
        "HostConfig": {
            "Binds": null, "ContainerIDFile": "", "LogConfig": {"Type": "", "Config": {}}, "NetworkMode": "default",
            "PortBindings": {}, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "AutoRemove": true,
            "VolumeDriver": "", "VolumesFrom": null, "ConsoleSize": [24, 80], "CapAdd": null, "CapDrop": null,
            "CgroupnsMode": "", "Dns": [], "DnsOptions": [], "DnsSearch": [], "ExtraHosts": null, "GroupAdd": null,
            "IpcMode": "", "Cgroup": "", "Links": null, "OomScoreAdj": 0, "PidMode": "", "Privileged": false,
            "PublishAllPorts": false, "ReadonlyRootfs": false, "SecurityOpt": null, "UTSMode": "", "UsernsMode": "",
            "ShmSize": 0, "Isolation": "", "CpuShares": 0, "Memory": 0, "NanoCpus": 0, "CgroupParent": "",
            "BlkioWeight": 0, "BlkioWeightDevice": [], "BlkioDeviceReadBps": [], "CpuPeriod": 0, "CpuQuota": 0,
            "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpusetCpus": "", "CpusetMems": "", "Devices": [],
            "DeviceCgroupRules": null, "DeviceRequests": null, "MemoryReservation": 0, "MemorySwap": 0,
            "MemorySwappiness": -1, "OomKillDisable": false, "PidsLimit": 0, "Ulimits": [], "CpuCount": 0,
            "CpuPercent": 0, "IOMaximumIOps": 0, "IOMaximumBandwidth": 0, "MaskedPaths": null, "ReadonlyPaths": null
        },
        "NetworkingConfig": {"EndpointsConfig": {"default": {"IPAMConfig": null, "Links": null, "Aliases": null,
            "MacAddress": "", "DriverOpts": null, "NetworkID": "", "EndpointID": "", "Gateway": "", "IPAddress": "",
            "IPPrefixLen": 0, "GwPriority": 0, "DNSNames": null}}}
    }"#,
    )
    .unwrap()
}

#[test]
fn the_docker_clients_request_is_understood_without_a_warning() {
    let asked = asked(docker_run());
    assert_eq!(asked.warnings, [""; 0]);
    let mut shown = serde_json::to_value(&asked.spec).unwrap();
    // What stands at its default says nothing.
    let default = serde_json::to_value(davit_model::container::ContainerSpec::default()).unwrap();
    let fields = shown.as_object_mut().unwrap();
    fields.remove("as_asked");
    fields.retain(|k, v| default[k] != *v);
    assert_eq!(shown, json!({"image": "i", "cmd": ["echo", "hi"], "auto_remove": true, "network": "default"}));
}

#[test]
fn words_come_alone_or_in_lists_and_an_empty_entry_point_takes_the_images_away() {
    let one = asked(json!({"Image": "i", "Cmd": "true", "Entrypoint": [""]})).spec;
    assert_eq!((one.cmd, one.entrypoint), (Some(vec!["true".to_owned()]), Some(vec![])));
    let none = asked(json!({"Image": "i", "Cmd": [], "Entrypoint": []})).spec;
    assert_eq!((none.cmd, none.entrypoint), (None, None));
}

#[test]
fn environment_sets_and_removes() {
    let spec = asked(json!({"Image": "i", "Env": ["A=1", "B=x=y", "C", "D="]})).spec;
    let env: Vec<_> = spec.env.iter().map(|(k, v)| (k.as_str(), v.as_deref())).collect();
    assert_eq!(env, [("A", Some("1")), ("B", Some("x=y")), ("C", None), ("D", Some(""))]);
}

#[test]
fn mounts_are_read_in_all_their_forms() {
    let spec = asked(json!({"Image": "i", "Volumes": {"/anon": {}, "/b": {}}, "HostConfig": {
    "Binds": ["/a:/b:ro", "data:/c:rw,rshared", "/d"],
    "Mounts": [
        {"Type": "bind", "Source": "/x", "Target": "/y", "ReadOnly": true, "BindOptions": {"Propagation": "rslave"}},
        {"Type": "volume", "Source": "v", "Target": "/z", "VolumeOptions": {"NoCopy": true, "Labels": {}}},
        {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 4096, "Mode": 448}}
    ]}}))
    .spec;
    insta::assert_json_snapshot!(spec.mounts);
}

#[test]
fn bad_mounts_say_what_is_wrong() {
    assert!(refusal(json!({"Binds": ["rel/path:/b"]})).contains("use absolute path"));
    assert!(refusal(json!({"Binds": ["/a:b"]})).contains("must be absolute"));
    assert!(refusal(json!({"Binds": ["/a:/b:rx"]})).contains("invalid mode"));
    assert!(refusal(json!({"Binds": ["/a:/b", "/c:/b"]})).contains("Duplicate mount point: /b"));
    assert!(refusal(json!({"Mounts": [{"Type": "bind", "Source": "x", "Target": "/y"}]})).contains("must be absolute"));
    assert!(refusal(json!({"Mounts": [{"Type": "npipe", "Source": "/x", "Target": "/y"}]})).contains("npipe"));
    let nested =
        json!({"Mounts": [{"Type": "bind", "Source": "/x", "Target": "/y", "BindOptions": {"NonRecursive": true}}]});
    assert!(refusal(nested).contains("Mount.BindOptions.NonRecursive"));
}

#[test]
fn ports_are_published_where_asked() {
    let spec =
        asked(json!({"Image": "i", "ExposedPorts": {"80/tcp": {}, "53/udp": {}}, "HostConfig": {"PortBindings": {
            "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostIp": "", "HostPort": ""}],
            "53/udp": [{"HostIp": "0.0.0.0", "HostPort": "5353"}], "9/tcp": null
        }}}))
        .spec;
    insta::assert_json_snapshot!((spec.exposed_ports, spec.ports));
    assert!(refusal(json!({"PortBindings": {"x/tcp": []}})).contains("invalid port specification"));
    assert!(refusal(json!({"PortBindings": {"80": [{"HostPort": "70000"}]}})).contains("70000"));
    assert!(refusal(json!({"PortBindings": {"80": [{"HostPort": "80-90"}]}})).contains("range"));
}

#[test]
fn what_asks_for_isolation_is_honoured_or_refused_and_never_ignored() {
    for (host, field) in [
        (json!({"CgroupParent": "/x"}), "CgroupParent"),
        (json!({"DeviceCgroupRules": ["c 1:3 r"]}), "DeviceCgroupRules"),
        (json!({"BlkioWeight": 10}), "BlkioWeight"),
        (json!({"UsernsMode": "remap"}), "UsernsMode"),
        (json!({"CgroupnsMode": "host"}), "CgroupnsMode"),
        (json!({"IpcMode": "container:x"}), "ipc namespace"),
        (json!({"NetworkMode": "container:x"}), "NetworkMode"),
        (json!({"Runtime": "kata"}), "Runtime"),
        (json!({"VolumesFrom": ["x"]}), "VolumesFrom"),
        (json!({"MaskedPaths": ["/x"]}), "MaskedPaths"),
        (json!({"MemorySwappiness": 5}), "MemorySwappiness"),
        (json!({"SomethingOfTomorrow": {"A": [1]}}), "SomethingOfTomorrow"),
        (json!({"Annotations": {"a": "b"}}), "Annotations"),
        (json!({"LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}}), "--log-opt"),
    ] {
        let why = refusal(host);
        assert!(why.contains(field) && why.contains("not supported"), "{field}: {why}");
    }
    let open =
        asked(json!({"Image": "i", "HostConfig": {"MaskedPaths": [], "ReadonlyPaths": [], "PidMode": "host"}})).spec;
    assert_eq!(open.security_opt, ["systempaths=unconfined"]);
    assert_eq!(open.host_namespaces, ["pid"]);
}

#[test]
fn an_image_s_name_is_looked_at_before_the_image() {
    for (image, why) in [
        ("", "is empty"),
        ("bb:", "the tag is empty"),
        ("bb@", "the digest is empty"),
        ("UPPER", "repository name must be lowercase"),
    ] {
        let refused = to_spec(json!({ "Image": image })).unwrap_err().to_string();
        assert!(refused.starts_with("invalid reference format") && refused.contains(why), "{image}: {refused}");
    }
    for image in ["sha256:2323b7df989b", &"ab".repeat(32), "127.0.0.1:5000/a/b:1"] {
        assert!(to_spec(json!({ "Image": image })).is_ok(), "{image}");
    }
}

#[test]
fn name_servers_and_extra_hosts_are_addresses() {
    assert_eq!(refusal(json!({"Dns": ["bad"]})), "IP address is not correctly formatted: bad");
    assert!(refusal(json!({"ExtraHosts": ["bad"]})).starts_with("bad format for add-host: \"bad\""));
    assert!(refusal(json!({"ExtraHosts": [":1.2.3.4"]})).contains("add-host"));
    let fine =
        json!({"Dns": ["1.1.1.1", "fd00::1"], "ExtraHosts": ["a:1.2.3.4", "b:fd00::1", "c=[::1]", "d:host-gateway"]});
    let spec = asked(json!({"Image": "i", "HostConfig": fine})).spec;
    assert_eq!(spec.extra_hosts, ["a:1.2.3.4", "b:fd00::1", "c:::1", "d:host-gateway"]);
}

#[test]
fn what_is_harmless_and_without_effect_is_told() {
    let asked = asked(json!({"Image": "i", "Healthcheck": {"Test": ["CMD", "true"]}}));
    assert_eq!(asked.warnings, ["Healthcheck is not supported by this engine yet and has no effect"]);
}

#[test]
fn limits_are_checked_as_docker_checks_them() {
    let host = json!({"Memory": 33_554_432, "MemorySwap": -1, "NanoCpus": 500_000_000, "PidsLimit": 50, "CpuShares": 2,
        "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": -1}], "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}});
    let spec = asked(json!({"Image": "i", "HostConfig": host})).spec;
    assert_eq!((spec.limits.memory, spec.limits.memory_swap, spec.limits.pids), (Some(33_554_432), Some(-1), Some(50)));
    assert_eq!(spec.ulimits, [("nofile".to_owned(), 1, u64::MAX)]);
    assert_eq!((spec.restart_policy.as_deref(), spec.restart_max), (Some("on-failure"), 3));
    assert_eq!(refusal(json!({"Memory": 1024})), "Minimum memory limit allowed is 6MB");
    assert!(refusal(json!({"Memory": -5})).contains("negative"));
    assert!(refusal(json!({"NanoCpus": 1, "CpuQuota": 5000})).starts_with("Conflicting options"));
    assert!(refusal(json!({"AutoRemove": true, "RestartPolicy": {"Name": "always"}})).contains("AutoRemove"));
}

#[test]
fn a_place_on_a_network_is_read_and_must_fit_the_mode() {
    let endpoint = json!({"net1": {"IPAMConfig": {"IPv4Address": "10.1.2.3"}, "Aliases": ["db"]}});
    let body = |mode: &str| json!({"Image": "i", "HostConfig": {"NetworkMode": mode}, "NetworkingConfig": {"EndpointsConfig": endpoint}});
    let spec = asked(body("net1")).spec;
    assert_eq!((spec.network.as_str(), spec.aliases), ("net1", vec!["db".to_owned()]));
    assert_eq!(spec.ipv4_address, Some("10.1.2.3".parse().unwrap()));
    assert_eq!(asked(body("")).spec.network, "net1");
    assert!(to_spec(body("net2")).unwrap_err().to_string().contains("must be the same"));
}
