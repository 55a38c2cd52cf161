//! Two sites, one binary: a laptop and a regulated site differ in one file. The same commands are given to both.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::{davit, memory_holds, plugin_host, run};
use davit_fixtures::{
    daemon::{Daemon, programs},
    disk::SmallDisk,
    image::{self, Config, Image},
    process::{run as quietly, until},
    registry::Registry,
};
use davit_token_server::{Running, User};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

fn site(name: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sites").join(name);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// A host's interface with somebody at its other end: the site's network. It goes with this value.
struct Network {
    parent: String,
    namespace: String,
}

impl Network {
    fn new() -> Result<Self> {
        let id = std::process::id();
        let network = Self { parent: format!("dvs{id:x}"), namespace: format!("davit-sites-{id:x}") };
        let ip = |words: &str| quietly(Command::new("ip").args(words.split(' '))).map(drop);
        let (parent, namespace) = (&network.parent, &network.namespace);
        ip(&format!("netns add {namespace}"))?;
        ip(&format!("link add {parent} type veth peer name lan netns {namespace}"))?;
        ip(&format!("link set {parent} up"))?;
        // The router of the site's network, as far as the test is concerned.
        ip(&format!("-n {namespace} addr add 172.31.77.1/24 dev lan"))?;
        ip(&format!("-n {namespace} link set lan up"))?;
        Ok(network)
    }

    /// Whether somebody on the site's network reaches an address.
    fn reaches(&self, address: &str) -> Result<bool> {
        let mut ping = Command::new("ip");
        ping.args(["netns", "exec", &self.namespace, "busybox", "ping", "-c", "1", "-w", "3", address]);
        Ok(run(ping, None)?.code == 0)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "del", &self.parent]).output();
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).output();
    }
}

/// An audit sink: keeps the lines that it is sent.
struct Sink {
    origin: String,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Sink {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let origin = format!("http://{}", listener.local_addr()?);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = lines.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away has not sent anything.
                let _ = take(&stream, &kept);
            }
        });
        Ok(Self { origin, lines })
    }

    fn records(&self) -> Result<Vec<Value>> {
        let lines = self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lines.iter().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// That every record names the one before it.
    fn whole(&self) -> Result<()> {
        let mut lines = self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        lines.dedup();
        let mut previous = "0".repeat(64);
        for line in &lines {
            let record: Value = serde_json::from_str(line)?;
            ensure!(record["previous"] == previous.as_str(), "the chain breaks at {line}");
            previous = hex(line.as_bytes());
        }
        Ok(())
    }
}

fn take(mut stream: &std::net::TcpStream, kept: &Mutex<Vec<String>>) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        ensure!(reader.read_line(&mut line)? > 0, "it went away");
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let text = String::from_utf8(body)?;
    kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(text.lines().map(str::to_owned));
    Ok(stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")?)
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Somebody who signs images as cosign does.
struct Signer(PathBuf);

impl Signer {
    fn new(dir: &Path) -> Result<Self> {
        let key = dir.join("key.pem");
        let mut make = Command::new("openssl");
        quietly(make.args(["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"]).arg(&key))?;
        Ok(Self(key))
    }

    fn public(&self) -> Result<String> {
        let out = quietly(Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&self.0))?;
        Ok(String::from_utf8(out.stdout)?)
    }

    /// Puts a signature of `digest` beside the image, under cosign's own tag.
    fn sign(&self, dir: &Path, repository: &str, digest: &str) -> Result<()> {
        let payload = json!({
            "critical": {
                "identity": { "docker-reference": repository },
                "image": { "docker-manifest-digest": digest },
                "type": "cosign container image signature",
            },
            "optional": null,
        })
        .to_string();
        let layout = dir.join(format!("signature-{}", hex(digest.as_bytes())));
        let blobs = layout.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        let put = |bytes: &[u8]| -> Result<Value> {
            let name = hex(bytes);
            fs::write(blobs.join(&name), bytes)?;
            Ok(json!({ "digest": format!("sha256:{name}"), "size": bytes.len() }))
        };
        let file = layout.join("payload");
        fs::write(&file, &payload)?;
        let signed = quietly(Command::new("openssl").args(["dgst", "-sha256", "-sign"]).arg(&self.0).arg(&file))?;
        let signature = layout.join("signature");
        fs::write(&signature, &signed.stdout)?;
        let text = quietly(Command::new("openssl").args(["base64", "-A", "-in"]).arg(&signature))?;
        let typed = |mut descriptor: Value, media_type: &str| {
            descriptor["mediaType"] = json!(media_type);
            descriptor
        };
        let mut layer = typed(put(payload.as_bytes())?, "application/vnd.dev.cosign.simplesigning.v1+json");
        layer["annotations"] = json!({ "dev.cosignproject.cosign/signature": String::from_utf8(text.stdout)?.trim() });
        let config = json!({
            "architecture": "", "os": "", "config": {},
            "rootfs": { "type": "layers", "diff_ids": [layer["digest"].clone()] },
        });
        let config = typed(put(config.to_string().as_bytes())?, "application/vnd.oci.image.config.v1+json");
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": [layer],
        });
        let manifest = typed(put(manifest.to_string().as_bytes())?, "application/vnd.oci.image.manifest.v1+json");
        let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
        fs::write(layout.join("index.json"), index.to_string())?;
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#)?;
        let to = format!("docker://{repository}:{}.sig", digest.replace(':', "-"));
        let mut copy = Command::new("skopeo");
        copy.args(["copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false"]);
        quietly(copy.arg(format!("oci:{}", layout.display())).arg(to))?;
        Ok(())
    }
}

/// What the registry calls an image.
fn digest_of(reference: &str) -> Result<String> {
    let mut inspect = Command::new("skopeo");
    inspect.args(["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &format!("docker://{reference}")]);
    Ok(String::from_utf8(quietly(&mut inspect)?.stdout)?.trim().to_owned())
}

/// The first address that a container has.
fn address_of(daemon: &Daemon, name: &str) -> Result<String> {
    let all: Value = serde_json::from_str(&davit(daemon, &["inspect", name])?.success()?.stdout)?;
    let networks = all.pointer("/0/NetworkSettings/Networks").and_then(Value::as_object).context("no networks")?;
    let addresses = networks.values().filter_map(|n| n["IPAddress"].as_str()).filter(|a| !a.is_empty());
    addresses.map(str::to_owned).next().context("it has no address")
}

#[test]
fn a_laptop_runs_whatever_its_user_says() -> Result<()> {
    let dir = tempfile::Builder::new().prefix("davit-e2e-").tempdir()?;
    let registry = Registry::start(dir.path(), None)?;
    let app = format!("{}/team/app:1", registry.host);
    image::make(&dir.path().join("app"), &Config::shell())?.push(&app, None)?;
    let daemon = Daemon::with_site(Some(&site("laptop.toml")?))?;
    davit(&daemon, &["run", "-d", "--name", "app", &app, "sleep", "1000"])?.success()?;
    ensure!(address_of(&daemon, "app")?.starts_with("172.30."));
    ensure!(davit(&daemon, &["info", "--format", "{{.Driver}}"])?.success()?.out() == "overlay");
    daemon.finish()
}

#[test]
fn a_regulated_site_runs_what_is_signed_pinned_and_within_its_limits() -> Result<()> {
    if !fs::read_to_string("/proc/filesystems")?.contains("btrfs") {
        println!("skipped: /proc/filesystems has no btrfs");
        return Ok(());
    }
    let dir = tempfile::Builder::new().prefix("davit-e2e-").tempdir()?;
    let registry = Registry::start(dir.path(), None)?;
    let image = image::make(&dir.path().join("app"), &Config::shell())?;
    let signer = Signer::new(dir.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let front = runtime.block_on(Running::start(exchanging(&registry)?))?;
    let host = front.registry.to_string();
    let (signed, digest) = pushed(&registry, &image, "app")?;
    signer.sign(dir.path(), &signed, &digest)?;
    pushed(&registry, &image::make(&dir.path().join("other"), &Config::default())?, "unsigned")?;

    offer_a_plugin(&registry)?;

    let network = Network::new()?;
    let sink = Sink::start()?;
    let token = dir.path().join("site-token");
    fs::write(&token, "workload-identity\n")?;
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600))?;
    let file = site("regulated.toml")?
        .replace("@REGISTRY@", &host)
        .replace("@PARENT@", &network.parent)
        .replace("@DIR@", &dir.path().display().to_string())
        .replace("@EXCHANGE@", &front.exchange())
        .replace("@EXCHANGE_ORIGIN@", &format!("http://{}", front.tokens))
        .replace("@KEY@", &signer.public()?)
        .replace("@SINK@", &format!("{}/v1/records", sink.origin))
        .replace("@SINK_ORIGIN@", &sink.origin);
    let disk = SmallDisk::mount_btrfs(dir.path(), 512 << 20)?;
    let daemon = Daemon::beneath_with_site(disk.path(), &file)?;
    let app = format!("{host}/team/app@{digest}");
    let unsigned = format!("{host}/team/unsigned@{}", digest_of(&format!("{}/team/unsigned:1", registry.host))?);

    // The same command that the laptop takes is refused three times over, each time with the reason.
    let tagged = davit(&daemon, &["run", "-d", &format!("{host}/team/app:1"), "sleep", "1000"])?;
    ensure!(tagged.code == 125 && tagged.stderr.contains("must be pinned by a digest"), "{tagged:?}");
    let refused = davit(&daemon, &["pull", "-q", &unsigned])?;
    ensure!(refused.code == 1 && refused.stderr.contains("plugin signatures@"), "{refused:?}");
    // What holds for images holds for policy itself.
    let policy = davit(&daemon, &["plugin", "install", "-y", &format!("{host}/team/policy:1")])?;
    ensure!(policy.code == 1 && policy.stderr.contains("plugin signatures@"), "{policy:?}");
    let elsewhere = davit(&daemon, &["pull", "-q", "docker.io/library/busybox"])?;
    ensure!(elsewhere.code == 1, "{elsewhere:?}");

    davit(&daemon, &["run", "-d", "--name", "app", &app, "sleep", "1000"])?.success()?;
    ensure!(davit(&daemon, &["info", "--format", "{{.Driver}}"])?.success()?.out() == "btrfs");
    let address = address_of(&daemon, "app")?;
    ensure!(address.starts_with("172.31.77."), "{address}");
    until(Duration::from_secs(10), "the site's network reaches the container", || {
        Ok(network.reaches(&address)?.then_some(()))
    })?;
    let memory = davit(&daemon, &["inspect", "--format", "{{.HostConfig.Memory}}", "app"])?.success()?;
    ensure!(memory.out() == (64 << 20).to_string(), "{memory:?}");
    let greedy = davit(&daemon, &["run", "-d", "--memory", "100m", &app, "sleep", "1000"])?;
    ensure!(greedy.code == 125 && greedy.stderr.contains("plugin quota@"), "{greedy:?}");
    davit(&daemon, &["run", "-d", "--name", "two", &app, "sleep", "1000"])?.success()?;
    let third = davit(&daemon, &["run", "-d", &app, "sleep", "1000"])?;
    ensure!(third.code == 125 && third.stderr.contains("plugin quota@"), "{third:?}");
    // The site's identity, which a plugin has traded, never was where plugins run: marks stood for it there.
    let (_, host) = plugin_host(&daemon).context("no plugin host runs")?;
    ensure!(memory_holds(host, "token-exchange")?, "its memory cannot be looked at");
    ensure!(!memory_holds(host, "workload-identity")?, "the plugin host has the site's identity in its memory");
    davit(&daemon, &["rm", "-f", "app", "two"])?.success()?;

    // The last record waits for the next event: one more makes sure that the removal arrives.
    davit(&daemon, &["pull", "-q", &app])?.success()?;
    until(Duration::from_secs(20), "the audit log has what happened", || {
        davit(&daemon, &["tag", &app, &format!("{host}/team/app:kept")])?;
        let kinds: Vec<String> = sink.records()?.iter().filter_map(|r| r["kind"].as_str().map(str::to_owned)).collect();
        let all = ["container.create", "container.start", "container.die", "container.destroy"];
        Ok(all.iter().all(|kind| kinds.iter().any(|k| k == kind)).then_some(()))
    })?;
    sink.whole()?;
    daemon.finish()?;
    disk.unmount()
}

/// Puts a plugin into the registry, unsigned, as its author would from his laptop.
fn offer_a_plugin(registry: &Registry) -> Result<()> {
    let author = Daemon::with_site(Some(&site("laptop.toml")?))?;
    let plugin = programs().join("plugins/image-policy.wasm").display().to_string();
    davit(&author, &["plugin", "push", &plugin, &format!("{}/team/policy:1", registry.host)])?.success()?;
    author.finish()
}

/// A registry that takes tokens alone; the workload's identity is worth the right to pull.
fn exchanging(registry: &Registry) -> Result<davit_token_server::Config> {
    let user = User {
        name: "workload".to_owned(),
        password: "not-used".to_owned(),
        refresh_tokens: Vec::new(),
        grants: vec!["team/*=pull".parse()?],
    };
    Ok(davit_token_server::Config {
        users: vec![user],
        subject_tokens: BTreeMap::from([("workload-identity".to_owned(), "workload".to_owned())]),
        ..davit_token_server::Config::before(format!("http://{}", registry.host))
    })
}

/// Puts an image into the registry behind the front; answers its repository there and its digest.
fn pushed(registry: &Registry, image: &Image, name: &str) -> Result<(String, String)> {
    let repository = format!("{}/team/{name}", registry.host);
    image.push(&format!("{repository}:1"), None)?;
    let digest = digest_of(&format!("{repository}:1"))?;
    Ok((repository, digest))
}
