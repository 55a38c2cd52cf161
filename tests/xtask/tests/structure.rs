//! The architecture held against the sources: who may know whom, where `unsafe` may be, what core code may not name.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// What cargo says of the packages of this workspace.
fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut metadata = Command::new(cargo);
    metadata.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root());
    let output = metadata.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Direct dependencies by package, tests' own left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let normal = |p: &Value| {
        let all = p["dependencies"].as_array().unwrap().iter();
        all.filter(|d| d["kind"].is_null()).map(|d| d["name"].as_str().unwrap().to_owned()).collect()
    };
    packages().iter().map(|p| (p["name"].as_str().unwrap().to_owned(), normal(p))).collect()
}

#[test]
fn crates_know_only_whom_the_design_lets_them() {
    let shared = ["davit-model", "davit-sys"];
    let allowed: [(&str, &[&str]); 12] = [
        ("davit-model", &[]),
        ("davit-sys", &[]),
        ("davit-runtime", &shared),
        ("davit-store", &shared),
        ("davit-registry", &shared),
        ("davit-network", &shared),
        ("davit-plugin-host", &shared),
        ("davit-build", &shared),
        ("davit-api-types", &[]),
        (
            "davit-engine",
            &[
                "davit-model",
                "davit-sys",
                "davit-store",
                "davit-registry",
                "davit-network",
                "davit-runtime",
                "davit-build",
            ],
        ),
        ("davit-api", &["davit-model", "davit-engine", "davit-api-types"]),
        ("davit", &["davit-api-types"]),
    ];
    let all = dependencies();
    for (package, may) in allowed {
        let ours = all[package].iter().filter(|d| d.starts_with("davit"));
        let beyond: Vec<_> = ours.filter(|d| !may.contains(&d.as_str())).collect();
        assert!(beyond.is_empty(), "{package} knows {beyond:?}");
    }
}

#[test]
fn what_only_tests_need_is_in_no_build_but_theirs() {
    let tests_own = |f: &Value| ["fault-points", "planted-hole"].iter().any(|own| f.as_str().unwrap().ends_with(own));
    let named = |list: &Value| list.as_array().unwrap().iter().any(tests_own);
    for package in packages() {
        for dependency in package["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"] != "dev") {
            assert!(!named(&dependency["features"]), "{} links {}", package["name"], dependency["name"]);
        }
        for (feature, brings) in package["features"].as_object().unwrap() {
            assert!(!named(brings), "{} has them by its feature {feature}", package["name"]);
        }
    }
}

#[test]
fn what_a_crate_must_not_know_it_does_not_link() {
    let bans: [(&str, &[&str]); 9] = [
        ("wasmtime", &["davit-plugin-host"]),
        ("wasmtime-wasi", &["davit-plugin-host"]),
        ("axum", &["davit-api", "davit-token-server"]),
        ("reqwest", &["davit-registry", "davitd"]),
        ("rusqlite", &["davit-store", "davit-engine"]),
        ("clap", &["davit", "davitd", "davit-runtime", "xtask", "davit-token-server"]),
        ("netlink-sys", &["davit-network"]),
        ("tar", &["davit-store", "davit-build", "davit", "davit-fixtures"]),
        ("indicatif", &["davit"]),
    ];
    let all = dependencies();
    for (library, may) in bans {
        for (package, dependencies) in &all {
            assert!(!dependencies.contains(library) || may.contains(&package.as_str()), "{package} links {library}");
        }
    }
    for quiet in ["davit-model", "davit-sys", "davit-runtime", "davit-network"] {
        assert!(!all[quiet].contains("tokio"), "{quiet} has an async runtime");
    }
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|x| x == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in ["core", "cli", "plugins", "plugin-sdk", "tests"] {
        sources(&root().join(dir), &mut found);
    }
    assert!(found.len() > 300, "the sources were found");
    found
}

#[test]
fn unsafe_code_is_where_the_design_names_it() {
    for path in all_sources() {
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let may =
            ["core/sys/", "core/runtime/", "core/plugin-host/", "plugin-sdk/"].iter().any(|p| shown.starts_with(p));
        let has = text.lines().any(|l| {
            let code = l.split("//").next().unwrap_or("").trim_start();
            code.starts_with("unsafe ") || code.contains(" unsafe {") || code.contains("=unsafe")
        });
        assert!(!has || may || shown.ends_with("structure.rs"), "{shown} has unsafe code");
    }
}

#[test]
fn core_code_names_no_plugin() {
    // The other shipped names are the kernel's words, Docker's, or the contract's for what it grants.
    let words =
        ["overlay", "btrfs", "erofs", "quota", "bridge", "host", "none", "macvlan", "vxlan", "mirror", "secrets"];
    let shipped: Vec<String> = fs::read_dir(root().join("plugins"))
        .unwrap()
        .map(|e| e.unwrap())
        .filter(|e| e.path().is_dir())
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| !words.contains(&n.as_str()))
        .collect();
    assert!(shipped.len() >= 4, "{shipped:?}");
    let mut core = Vec::new();
    sources(&root().join("core"), &mut core);
    for path in core.iter().filter(|p| !p.components().any(|c| c.as_os_str() == "tests")) {
        let text = fs::read_to_string(path).unwrap();
        // A test beside the code may play with a real name.
        let code = text.split("#[cfg(test)]").next().unwrap_or("");
        for name in &shipped {
            assert!(!code.contains(&format!("\"{name}\"")), "{} names the plugin {name}", path.display());
        }
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for path in all_sources() {
        let text = fs::read_to_string(&path).unwrap();
        let generated = path.components().any(|c| c.as_os_str() == "bindings");
        assert!(text.starts_with("//!") || generated, "{} has no header", path.display());
    }
}

#[test]
fn the_client_hides_the_characters_that_the_core_refuses() {
    // Two, since the client knows wire types alone, and cleans what any daemon says.
    let hidden = |file: &str| {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let (_, body) = text.split_once("fn is_hidden(c: char) -> bool {").unwrap();
        body.split_once("\n}").unwrap().0.to_owned()
    };
    assert_eq!(hidden("cli/src/plain.rs"), hidden("core/model/src/plain.rs"));
}
