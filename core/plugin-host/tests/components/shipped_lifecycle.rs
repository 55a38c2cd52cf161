//! The shipped lifecycle policies through the real host.

use super::support::{Memory, bench};
use davit_model::{
    container::ContainerSpec,
    error::PolicyError,
    id::Caller,
    lifecycle::{Hooks, Operation},
};

fn create(image: &str, spec: ContainerSpec) -> Operation {
    Operation {
        kind: "container.create".to_owned(),
        caller: Caller("uid:0".to_owned()),
        image: Some(image.to_owned()),
        image_digest: Some(format!("sha256:{}", "a".repeat(64)).parse().unwrap()),
        labels: spec.labels.clone(),
        privileged: false,
        request: serde_json::to_value(spec).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn site_defaults_adds_what_the_request_does_not_say() {
    let bench = bench(Memory {
        config: serde_json::json!({
            "labels": { "team": "web", "a/b": "c" },
            "env": { "TZ": "UTC", "MINE": "site" },
            "limits": { "memory": "512MiB", "cpus": 1.5, "pids": 99 },
        })
        .into(),
        ..Memory::default()
    });
    let policy = bench.shipped("site-defaults").await.lifecycle().unwrap();
    assert_eq!(policy.hooks(), Hooks { mutate: true, ..Hooks::default() });
    let mut spec = ContainerSpec::default();
    spec.env.insert("MINE".to_owned(), Some("own".to_owned()));
    spec.limits.pids = Some(7);
    let operation = create("app", spec);
    let all = policy.mutate(&operation).await.unwrap();
    let shown: Vec<String> = all.iter().map(|a| format!("{} {}", a.path, a.value)).collect();
    assert_eq!(
        shown,
        [
            "/labels/a~1b \"c\"",
            "/labels/team \"web\"",
            "/env/TZ \"UTC\"",
            "/limits/nano_cpus 1500000000",
            "/limits/memory 536870912",
        ]
    );
    assert_eq!(all, policy.mutate(&operation).await.unwrap());
    let other = Operation { kind: "image.pull".to_owned(), ..operation.clone() };
    assert!(policy.mutate(&other).await.unwrap().is_empty());
    *bench.services.config.lock().unwrap() = serde_json::json!({ "limits": { "memory": "lots" } });
    let error = policy.mutate(&operation).await.unwrap_err();
    assert!(matches!(&error.error, PolicyError::Invalid(text) if text.contains("lots")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn image_policy_admits_by_pattern_and_pinning() {
    let bench = bench(Memory {
        config: serde_json::json!({
            "allow": ["registry.example/*", "docker.io/library/*"],
            "deny": ["*:latest"],
            "pinned": ["registry.example/prod/*"],
        })
        .into(),
        ..Memory::default()
    });
    let policy = bench.shipped("image-policy").await.lifecycle().unwrap();
    assert_eq!(policy.hooks(), Hooks { admit: true, ..Hooks::default() });
    let admit = async |image: &str| policy.admit(&create(image, ContainerSpec::default())).await;
    admit("registry.example/app:1").await.unwrap();
    admit(&format!("registry.example/prod/app@sha256:{}", "b".repeat(64))).await.unwrap();
    for (image, why) in [
        ("registry.example/app:latest", "refused by the pattern *:latest"),
        ("evil.example/app:1", "is none of"),
        ("registry.example/prod/app:1", "must be pinned by a digest"),
    ] {
        let error = admit(image).await.unwrap_err();
        assert!(matches!(&error.error, PolicyError::Denied(text) if text.contains(why)), "{image}: {error}");
    }
    let start =
        Operation { kind: "container.start".to_owned(), ..create("evil.example/app:1", ContainerSpec::default()) };
    policy.admit(&start).await.unwrap();
}
