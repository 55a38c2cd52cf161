//! What was built for a version of the contract is served from then on, beside plugins of the next one.

use super::support::{Memory, bench, guest};
use davit_model::{
    error::PolicyError,
    id::Caller,
    lifecycle::{Hooks, Operation},
};
use davit_plugin_host::{
    Grant, Lending, Question, Source,
    conformance::{ImaginedLeases, NoManifests},
};
use sha2::{Digest as _, Sha256};
use std::path::Path;

fn pull(image: &str, caller: &str) -> Operation {
    Operation {
        kind: "image.pull".to_owned(),
        caller: Caller(caller.to_owned()),
        image: Some(image.to_owned()),
        image_digest: None,
        labels: Default::default(),
        privileged: false,
        request: serde_json::Value::Null,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_of_two_majors_answer_side_by_side() {
    let bench =
        bench(Memory { config: serde_json::json!({ "deny": ["registry.example/*"] }).into(), ..Memory::default() });
    let today = bench.shipped("image-policy").await.lifecycle().unwrap();
    let next = bench.host.load("next", Source::Bytes(&guest("pretended-next")), &Grant::default()).await;
    let next = next.unwrap().lifecycle().unwrap();
    assert_eq!(next.hooks(), Hooks { admit: true, ..Hooks::default() });
    let (hub, ours) = (pull("docker.io/library/a:1", "uid:0"), pull("registry.example/a:1", "uid:0"));
    let (a, b) = tokio::join!(today.admit(&hub), next.admit(&ours));
    assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
    let (a, b) = tokio::join!(today.admit(&ours), next.admit(&hub));
    assert!(matches!(&a.unwrap_err().error, PolicyError::Denied(text) if text.contains("registry.example")));
    let b = b.unwrap_err();
    assert!(
        matches!(&b.error, PolicyError::Denied(text) if text == "image.pull of docker.io/library/a:1 is not for 0.2")
    );
    assert!(b.to_string().contains("pretended-next@2.0.0, admit"), "{b}");
    // An error that 0.1 cannot say has a meaning in the engine's words all the same.
    let wait = next.admit(&pull("x", "uid:7")).await.unwrap_err();
    assert!(matches!(wait.error, PolicyError::Unavailable { retry_ms: 250, .. }), "{wait}");
}

/// `components.toml`.
#[derive(serde::Deserialize)]
struct Kept {
    component: Vec<Component>,
}

/// A component that was built once.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Component {
    file: String,
    kind: String,
    language: String,
    commit: String,
    digest: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn components_of_the_past_load_and_answer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("tests/versions/0.1/components");
    let kept: Kept = toml::from_str(&std::fs::read_to_string(folder.join("components.toml")).unwrap()).unwrap();
    let on_disk =
        std::fs::read_dir(&folder).unwrap().flatten().filter(|e| e.path().extension().is_some_and(|x| x == "wasm"));
    assert_eq!(on_disk.count(), kept.component.len(), "each component is listed");
    let bench = bench(Memory::default());
    for Component { file, kind, language, commit, digest } in kept.component {
        let bytes = std::fs::read(folder.join(&file)).unwrap();
        let now: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(format!("sha256:{now}"), digest, "{file} is not what was built at {commit}");
        let plugin = bench.host.load(&file, Source::Bytes(&bytes), &Grant::default()).await.unwrap();
        assert_eq!(plugin.info().kinds, [kind.as_str()], "{file}");
        let call = std::fs::read_to_string(root.join(format!("../../plugin-sdk/calls/{kind}.json"))).unwrap();
        let question: Question = serde_json::from_str(&call).unwrap();
        let leases = ImaginedLeases::before(&question);
        let reply = plugin.reply(&question, Lending { leases: &leases, manifests: &NoManifests }).await;
        assert!(reply.is_ok(), "{language}, {kind}: {reply:?}");
    }
}
