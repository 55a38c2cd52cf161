//! What bad input gets: one line that says what, where and what to do next, Docker's exit code, and no state.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use anyhow::Result;
use davit_e2e::{Done, World, http_get};
use davit_fixtures::process::free_port;
use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

/// What the user reads, with what differs from run to run replaced.
fn said(world: &World, done: &Done) -> String {
    let text = done.stderr.replace(&world.registry.host, "REGISTRY");
    format!("{} {}", done.code, text.trim_end())
}

/// No container, and the images that were there before.
fn nothing_is_left(world: &World, images: &str) -> Result<()> {
    assert_eq!(world.davit(&["ps", "-aq"])?.success()?.out(), "", "a container is left");
    assert_eq!(world.davit(&["images", "-q"])?.success()?.out(), images, "images changed");
    Ok(())
}

#[test]
fn malformed_flags_and_names_are_refused_before_anything_is_made() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let images = world.davit(&["images", "-q"])?.success()?.out().to_owned();
    #[rustfmt::skip] // a table, a row a line
    let rows: &[(&[&str], i32, &str)] = &[
        (&["-p", "abc"], 125, r#"invalid port: "abc": written as [[IP:]HOST:]PORT[/tcp|udp|sctp]"#),
        (&["-p", "99999:80"], 125, r#"invalid port: "99999:80""#),
        (&["-p", "80:80/xyz"], 125, r#"invalid port: "80:80/xyz""#),
        (&["-v", "rel/path:/x"], 125, "If you intended to pass a host directory, use absolute path"),
        (&["-v", "/a:b"], 125, r#"invalid volume: "/a:b": written as [SOURCE:]TARGET[:OPTIONS], with an absolute target"#),
        (&["-v", "/a:/b:zz"], 125, "invalid volume specification: '/a:/b:zz': invalid mode"),
        (&["--memory", "1x"], 125, r#"invalid size: "1x": a number with b, k, m, g, t or p after it"#),
        (&["--memory", "1"], 125, "Minimum memory limit allowed is 6MB"),
        (&["--cpus", "abc"], 125, r#"invalid number of CPUs: "abc""#),
        (&["--cpus=-1"], 125, r#"invalid number of CPUs: "-1""#),
        (&["-e", "=x"], 125, r#"invalid environment variable: "=x": it has no name"#),
        (&["--name", "bad name!"], 125, r#"Invalid container name: "bad name!""#),
        (&["--pids-limit", "lots"], 125, "invalid value 'lots' for '--pids-limit"),
        (&["--network", "nosuch"], 125, "nosuch"),
        (&["-u", "nobodyhere"], 125, "nobodyhere"),
        (&["--platform", "linux"], 125, r#""linux" is not a platform: expected os/architecture[/variant]"#),
        (&["--nosuchflag"], 125, "--nosuchflag"),
        (&["--add-host", "bad"], 125, r#"invalid extra host: "bad": written as NAME:ADDRESS"#),
        (&["--dns", "bad"], 125, r#"invalid name server: "bad": an IP address"#),
        (&["-l", ""], 125, r#"invalid label: "": it has no name"#),
        (&["-l", "=x"], 125, r#"invalid label: "=x": it has no name"#),
        (&["--stop-signal", "FOO"], 125, "invalid signal: FOO"),
        (&["--init"], 125, "--init is not supported yet"),
        (&["--annotation", "a=b"], 125, "Annotations is not supported"),
        (&["--log-opt", "max-size=1m"], 125, "--log-opt"),
        (&["--ip6", "fd00::9"], 125, "--ip6 fd00::9: network bridge has no IPv6 addresses"),
        (&["--cpuset-cpus", "9999"], 125, "Requested CPUs are not available - requested 9999, available: 0"),
        (&["--cpus", "0.001"], 125, "range of CPUs is from 0.01 to "),
        (&["--uts", "host", "-h", "x"], 125, "conflicting options: hostname and the UTS mode"),
    ];
    for (flags, code, line) in rows {
        let args: Vec<&str> = ["run", "--rm"].iter().chain(*flags).chain(&["IMAGE", "true"]).copied().collect();
        let done = world.davit(&args)?;
        assert_eq!(done.code, *code, "{args:?}: {}", done.stderr);
        assert!(done.stderr.contains(line), "{args:?}: {}", done.stderr);
        // What to do next stands beneath, indented.
        let lines = done.stderr.lines().filter(|line| !line.is_empty() && !line.starts_with("  "));
        assert_eq!(lines.count(), 1, "one line: {args:?}: {}", done.stderr);
        nothing_is_left(&world, &images)?;
    }
    world.daemon.finish()
}

#[test]
fn a_malformed_image_s_name_is_said_at_once_and_reaches_no_registry() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let images = world.davit(&["images", "-q"])?.success()?.out().to_owned();
    #[rustfmt::skip] // a table, a row a line
    let rows: &[(&[&str], i32, &str)] = &[
        (&["run", "bb:"], 125, r#"invalid reference format: "bb:": the tag is empty: leave out the colon, or name one"#),
        (&["run", "bb@"], 125, r#"invalid reference format: "bb@": the digest is empty: leave out the @, or name one"#),
        (&["run", ":x"], 125, r#"invalid reference format: ":x": the repository name, or a part of it, is empty"#),
        (&["run", "UPPER"], 125, r#"invalid reference format: "UPPER": repository name must be lowercase"#),
        (&["run", "x/"], 125, r#"invalid reference format: "x/": the repository name, or a part of it, is empty"#),
        (&["run", "x:y:z"], 125, r#"invalid reference format: "x:y:z": "#),
        (&["create", "bb:"], 1, r#"invalid reference format: "bb:": the tag is empty"#),
        (&["tag", "IMAGE", "bb:"], 1, r#"invalid reference format: "bb:": the tag is empty"#),
        (&["rmi", ""], 1, r#"invalid reference format: "": the repository name, or a part of it, is empty"#),
    ];
    for (args, code, line) in rows {
        let done = world.davit(args)?;
        assert_eq!(done.code, *code, "{args:?}: {}", done.stderr);
        assert!(done.stderr.starts_with(&format!("davit: {line}")), "{args:?}: {}", done.stderr);
        nothing_is_left(&world, &images)?;
    }
    world.daemon.finish()
}

#[test]
fn ports_that_a_network_cannot_publish_are_told() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    for (network, told) in [
        ("host", "WARNING: Published ports are discarded when using host network mode"),
        ("none", "WARNING: Published ports are discarded: network none has no addresses"),
    ] {
        let done = world.davit(&["run", "--rm", "--network", network, "-p", "80:80", "IMAGE", "true"])?.success()?;
        assert_eq!(done.stderr.trim_end(), told);
    }
    world.daemon.finish()
}

#[test]
fn an_image_that_cannot_be_had_is_said_with_its_registry_and_leaves_no_half() -> Result<()> {
    let world = World::start()?;
    let unknown = format!("{}/no/such:1", world.registry.host);
    let done = world.davit(&["pull", &unknown])?;
    assert_eq!(said(&world, &done), "1 davit: manifest for REGISTRY/no/such:1 not found: manifest unknown");
    let done = world.davit(&["run", "--rm", &unknown])?;
    assert_eq!(done.code, 125, "{done:?}");
    assert!(done.stderr.contains("no/such:1 not found"), "{done:?}");
    let down = format!("127.0.0.1:{}/a/b:1", free_port()?);
    let done = world.davit(&["pull", &down])?;
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("connection refused"), "{done:?}");
    assert!(done.stderr.contains("check the name, the network, and that the registry runs"), "{done:?}");
    nothing_is_left(&world, "")?;
    world.daemon.finish()
}

#[test]
fn a_registry_that_accepts_and_never_answers_is_given_up_in_time() -> Result<()> {
    let world = World::start()?;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let began = Instant::now();
    let done = world.davit(&["pull", &format!("{}/a/b:1", silent.local_addr()?)])?;
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains(&silent.local_addr()?.to_string()), "{done:?}");
    assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
    nothing_is_left(&world, "")?;
    world.daemon.finish()
}

#[test]
fn a_layer_that_is_not_what_its_digest_says_is_refused_and_nothing_of_it_is_kept() -> Result<()> {
    let world = World::start()?;
    let mut blobs = Vec::new();
    let mut folders = vec![world.registry.storage.join("docker/registry/v2/blobs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                blobs.push((entry.metadata()?.len(), entry.path()));
            }
        }
    }
    let (_, layer) = blobs.into_iter().max().unwrap();
    let whole = std::fs::read(&layer)?;
    let mut other = whole.clone();
    let middle = other.len() / 2;
    other[middle] ^= 0xff;
    let short = whole[..middle].to_vec();
    for altered in [other, short] {
        std::fs::write(&layer, &altered)?;
        let done = world.davit(&["pull", "IMAGE"])?;
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stderr.contains("/test/busybox"), "it names the image: {done:?}");
        nothing_is_left(&world, "")?;
    }
    std::fs::write(&layer, &whole)?;
    world.davit(&["pull", "IMAGE"])?.success()?;
    world.daemon.finish()
}

#[test]
fn a_name_or_a_port_that_is_taken_is_said_and_leaves_no_container() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let foreign = TcpListener::bind("0.0.0.0:0")?;
    let taken = foreign.local_addr()?.port();
    let done = world.davit(&["run", "--rm", "-p", &format!("{taken}:80"), "IMAGE", "true"])?;
    assert_eq!(done.code, 125, "{done:?}");
    assert!(done.stderr.contains(&taken.to_string()), "it names the port: {done:?}");
    assert_eq!(world.davit(&["ps", "-aq"])?.success()?.out(), "");
    let port = free_port()?;
    let first = ["run", "-d", "--name", "web", "-p", &format!("127.0.0.1:{port}:8080"), &world.web];
    world.davit(&first)?.success()?;
    let done = world.davit(&["run", "--rm", "-p", &format!("127.0.0.1:{port}:80"), "IMAGE", "true"])?;
    assert_eq!(done.code, 125, "{done:?}");
    assert!(done.stderr.contains(&format!("Bind for 127.0.0.1:{port} failed: port is already allocated")), "{done:?}");
    assert!(done.stderr.contains("\n  `davit ps --filter publish=PORT`"), "what to do: {done:?}");
    let done = world.davit(&["run", "--rm", "--name", "web", "IMAGE", "true"])?;
    assert_eq!(done.code, 125, "{done:?}");
    assert!(done.stderr.contains("web"), "it names the name: {done:?}");
    assert_eq!(world.davit(&["ps", "-aq"])?.success()?.out().lines().count(), 1, "only the first is there");
    davit_fixtures::process::until(Duration::from_secs(10), "the first still serves", || {
        Ok(http_get(&format!("127.0.0.1:{port}")))
    })?;
    world.daemon.finish()
}

#[test]
fn a_platform_is_honoured() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let (own, other) = if cfg!(target_arch = "aarch64") { ("arm64", "amd64") } else { ("amd64", "arm64") };
    let platform = format!("linux/{own}");
    let done = world.davit(&["run", "--rm", "--platform", &platform, "IMAGE", "echo", "here"])?.success()?;
    assert_eq!(done.out(), "here");
    let done = world.davit(&["create", "--pull", "never", "--platform", &format!("linux/{other}"), "IMAGE"])?;
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("does not match the specified platform"), "{done:?}");
    assert_eq!(world.davit(&["ps", "-aq"])?.success()?.out(), "");
    world.daemon.finish()
}
