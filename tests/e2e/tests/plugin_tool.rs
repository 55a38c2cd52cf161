//! What a plugin's author has before any daemon sees the plugin: `davit plugin check`, `test` and `run`.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::{Done, run};
use davit_fixtures::daemon::programs;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn davit(words: &[&str], file: &Path, more: &[&str]) -> Result<Done> {
    let mut davit = Command::new(programs().join("davit"));
    davit.arg("plugin").args(words).arg(file).args(more);
    run(davit, None)
}

/// The components that the build made of `plugins/*`.
fn shipped() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(programs().join("plugins"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "wasm") {
            found.push(path);
        }
    }
    found.sort();
    ensure!(found.len() >= 9, "the shipped plugins are not built");
    Ok(found)
}

/// What a plugin wants in its section before it can work.
fn config(dir: &Path, plugin: &Path) -> Result<PathBuf> {
    let text = match plugin.file_stem().and_then(|s| s.to_str()) {
        Some("deny-by-pattern") => "deny = [\"registry-0*\"]\n",
        Some("image-policy") => "allow = [\"docker.io/*\", \"localhost:5000/*\"]\n",
        Some("token-exchange") => "exchange = \"https://sts.example/token\"\nsecret = \"site-token\"\n",
        Some("mirror") => {
            "rules = [{ pattern = \"registry-*\", mirrors = [\"https://mirror.example\"], prefix = \"hub\" }]\n"
        }
        Some("signatures") => concat!(
            "default = \"permit\"\n[[keys]]\npattern = \"registry-0*\"\nkey = \"\"\"\n",
            include_str!("../../../core/plugin-host/tests/signatures/p256.pub"),
            "\"\"\"\n"
        ),
        Some("site-defaults") => "labels = { team = \"web\" }\nenv = { SITE = \"1\" }\n",
        Some("audit") => "sink = \"https://audit.example/v1\"\nsource = \"here\"\n",
        Some("quota") => {
            "callers = { \"*\" = { containers = 1000 } }\nlabels = { \"org.example.label0=*\" = { containers = 9 } }\n"
        }
        Some("macvlan") => "parent = \"eth0\"\nsubnets = [\"10.0.0.0/24\"]\nrange = \"10.0.0.64/26\"\n",
        Some("vxlan") => {
            "id = 42\nremotes = [\"192.0.2.2\"]\noverlay = [\"10.5.0.0/16\", \"192.168.0.0/16\"]\nslice = \"10.5.1.0/24\"\n"
        }
        _ => "",
    };
    let path = dir.join("section.toml");
    fs::write(&path, text)?;
    Ok(path)
}

/// What a site grants by name to a plugin that leaves the names to it.
fn grant(dir: &Path, plugin: &Path) -> Result<Option<PathBuf>> {
    let text = match plugin.file_stem().and_then(|s| s.to_str()) {
        Some("audit") => "http = [\"https://audit.example\"]\nstate = true\n",
        Some("macvlan") => "interfaces = [\"eth0\"]\n",
        Some("mirror") => "http = [\"realm\"]\nmirrors = [\"https://mirror.example\"]\nstate = true\n",
        _ => return Ok(None),
    };
    let path = dir.join("grant.toml");
    fs::write(&path, text)?;
    Ok(Some(path))
}

#[test]
fn every_shipped_plugin_keeps_to_the_rules_of_its_kind() -> Result<()> {
    let dir = tempfile::tempdir()?;
    for plugin in shipped()? {
        let section = config(dir.path(), &plugin)?;
        let section = section.to_str().context("a path in UTF-8")?;
        let grant = grant(dir.path(), &plugin)?;
        let mut more = vec!["--config", section, "--requests", "20"];
        if let Some(grant) = &grant {
            more.extend(["--grant", grant.to_str().context("a path in UTF-8")?]);
        }
        let done = davit(&["test"], &plugin, &more)?;
        ensure!(done.code == 0, "{}: {}{}", plugin.display(), done.stdout, done.stderr);
        ensure!(done.stdout.contains(" passed, 0 failed"), "{}: {}", plugin.display(), done.stdout);
    }
    Ok(())
}

/// A call in which a shipped plugin looks at its section.
fn call(plugin: &str) -> Value {
    let operation = json!({
        "kind": "container.create", "caller": "uid:0", "image": "a.example/b:1", "image_digest": null, "labels": {},
        "privileged": false, "request": {}
    });
    match plugin {
        "btrfs" | "erofs" | "overlay" | "vfs" => {
            json!({"kind": "storage", "call": "probe", "facts": {"features": [], "free_bytes": 0}})
        }
        "bridge" | "host" | "macvlan" | "none" | "vxlan" => {
            let request = json!({"name": "n", "internal": false, "ipv6": false, "subnets": [], "settings": {}});
            json!({"kind": "network", "call": "plan-network", "request": request})
        }
        "deny-by-pattern" | "docker-config" | "mirror" | "token-exchange" => {
            let challenge = json!({
                "registry": "a.example", "scheme": "bearer", "params": {}, "repository": "b", "actions": ["pull"],
                "offered": null, "caller": "uid:0", "attempt": 1
            });
            json!({"kind": "registry-auth", "call": "authenticate", "challenge": challenge})
        }
        "signatures" => {
            let digest = format!("sha256:{}", "0".repeat(64));
            let manifest = json!({"reference": "a.example/b:1", "digest": digest, "media_type": "x/y"});
            json!({"kind": "registry-auth", "call": "verify", "manifest": manifest})
        }
        "audit" => {
            let event = json!({"kind": "image.pull", "actor": "a", "time_ms": 0, "attributes": {}});
            json!({"kind": "lifecycle", "call": "observe", "event": event})
        }
        "image-policy" => json!({"kind": "lifecycle", "call": "admit", "operation": operation}),
        _ => json!({"kind": "lifecycle", "call": "mutate", "operation": operation}),
    }
}

#[test]
fn every_shipped_plugin_refuses_a_setting_that_it_does_not_know() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let request = dir.path().join("request.json");
    for plugin in shipped()? {
        let name = plugin.file_stem().and_then(|s| s.to_str()).context("a name in UTF-8")?;
        fs::write(&request, call(name).to_string())?;
        // Before the rest, which may end in a table.
        let section = config(dir.path(), &plugin)?;
        fs::write(&section, format!("alow = [\"*\"]\n{}", fs::read_to_string(&section)?))?;
        let words = ["--request", show(&request)?, "--config", show(&section)?];
        let done = davit(&["run"], &plugin, &words)?;
        let says = ["invalid: the plugin's configuration", "alow"];
        ensure!(done.code == 1 && says.iter().all(|s| done.stderr.contains(s)), "{name}: {done:?}");
    }
    Ok(())
}

fn show(path: &Path) -> Result<&str> {
    path.to_str().context("a path in UTF-8")
}

#[test]
fn plans_are_kept_and_compared() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let plugin = programs().join("plugins/overlay.wasm");
    let snapshot = dir.path().join("plans.json");
    let more = ["--requests", "10", "--snapshot", snapshot.to_str().context("a path in UTF-8")?];
    for _ in 0..2 {
        let done = davit(&["test"], &plugin, &more)?;
        ensure!(done.code == 0, "{done:?}");
    }
    let kept = fs::read_to_string(&snapshot)?;
    fs::write(&snapshot, kept.replacen("overlay", "underlay", 1))?;
    let done = davit(&["test"], &plugin, &more)?;
    ensure!(done.code == 1 && done.stderr.contains("the plans are not those of"), "{done:?}");
    Ok(())
}

#[test]
fn an_author_sees_what_an_operator_would_be_asked() -> Result<()> {
    let done = davit(&["check"], &programs().join("plugins/docker-config.wasm"), &[])?.success()?;
    for said in [
        "docker-config ",
        "registry-auth",
        "davit:registry-auth/authenticator@0.1.0",
        "http GET,POST realm",
        "credentials",
    ] {
        ensure!(done.stdout.contains(said), "{said} is not said: {}", done.stdout);
    }
    ensure!(!done.stdout.contains("warning:"), "a shipped plugin leaves doubts: {}", done.stdout);
    Ok(())
}

#[test]
fn one_call_is_made_of_a_file_and_answered_with_its_log_and_time() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let request = dir.path().join("request.json");
    let chain = format!(r#"[{{"chain_id": "{}", "place": null}}]"#, "a".repeat(64));
    fs::write(&request, format!(r#"{{"kind": "storage", "call": "prepare-layer", "chain": {chain}}}"#))?;
    let words = ["--request", request.to_str().context("a path in UTF-8")?];
    let done = davit(&["run"], &programs().join("plugins/overlay.wasm"), &words)?.success()?;
    let answer: serde_json::Value = serde_json::from_str(&done.stdout)?;
    ensure!(answer.pointer("/layer/into").is_some(), "{answer}");
    ensure!(done.stderr.contains("prepare-layer took "), "{done:?}");
    // A plugin of another kind says so.
    let done = davit(&["run"], &programs().join("plugins/bridge.wasm"), &words)?;
    ensure!(done.code == 1 && done.stderr.contains("it is not of kind storage"), "{done:?}");
    Ok(())
}

#[test]
fn no_device_pipe_or_file_without_end_is_taken_for_a_component() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let large = dir.path().join("large.wasm");
    fs::File::create(&large)?.set_len((64 << 20) + 1)?;
    for verb in ["check", "test"] {
        for (file, why) in [(Path::new("/dev/zero"), "it is no regular file"), (&large, "67108864 at most")] {
            let done = davit(&[verb], file, &[])?;
            ensure!(done.code == 1 && done.stdout.is_empty() && done.stderr.trim().lines().count() == 1, "{done:?}");
            ensure!(done.stderr.contains(why) && done.stderr.contains(&*file.to_string_lossy()), "{done:?}");
        }
    }
    Ok(())
}

#[test]
fn what_is_no_plugin_is_said_in_one_line() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("not-a-plugin.wasm");
    fs::write(&file, "hello")?;
    for verb in ["check", "test"] {
        let done = davit(&[verb], &file, &[])?;
        ensure!(done.code == 1 && done.stdout.is_empty() && done.stderr.trim().lines().count() == 1, "{done:?}");
        ensure!(done.stderr.contains("not-a-plugin"), "{done:?}");
    }
    Ok(())
}
