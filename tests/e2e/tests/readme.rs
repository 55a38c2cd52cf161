//! What the README shows is done here, word for word where the words do not name somebody else's registry or a path of
//! an installed Davit.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::{World, http_get, run};
use davit_fixtures::{
    daemon::programs,
    process::{free_port, until},
};
use std::{path::Path, process::Command, time::Duration};

fn readme() -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// The first fenced block of a language.
fn block(text: &str, language: &str) -> Result<String> {
    let start = format!("```{language}\n");
    let (_, rest) = text.split_once(&start).with_context(|| format!("the README has no block of {language}"))?;
    let (block, _) = rest.split_once("\n```").context("a block of the README does not end")?;
    Ok(block.to_owned())
}

#[test]
fn the_site_file_is_whole_and_valid() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("config.toml");
    std::fs::write(&file, block(&readme()?, "toml")?)?;
    let mut davitd = Command::new(programs().join("davitd"));
    davitd.arg("--validate").arg("--config-file").arg(&file);
    davitd.arg("--data-root").arg(dir.path().join("data")).arg("--exec-root").arg(dir.path().join("run"));
    let done = run(davitd, None)?;
    ensure!(done.code == 0, "{done:?}");
    Ok(())
}

#[test]
fn the_commands_by_hand_do_what_they_say() -> Result<()> {
    let world = World::start()?;
    let address = format!("127.0.0.1:{}", free_port()?);
    let davit = programs().join("davit").display().to_string();
    let pairs = [
        ("sudo target/release/davit", davit.as_str()),
        ("docker.io/library/busybox", &world.busybox),
        ("docker.io/library/nginx", &world.web),
        ("-p 8080:80", &format!("-p {address}:8080")),
        ("unix:///run/davit/davit.sock", &world.daemon.host()),
    ];
    let docker = Command::new("docker").arg("--version").output().is_ok();
    let mut followers = Vec::new();
    let mut ran = 0;
    for line in block(&readme()?, "console")?.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let words = pairs.iter().fold(line.to_owned(), |line, (from, to)| line.replace(from, to));
        ensure!(!words.contains("target/release/davit ") || words.contains(&davit), "{words} is not run as it stands");
        if line.starts_with("docker ") && !docker {
            eprintln!("skipped: {line}: there is no docker command line here");
            continue;
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", &words]).env("DAVIT_HOST", world.daemon.host()).env("HOME", world.daemon.dir());
        ran += 1;
        if line.contains("logs -f") {
            followers.push((line.to_owned(), std::thread::spawn(move || run(shell, None))));
            continue;
        }
        let done = run(shell, None)?;
        ensure!(done.code == 0, "{line}: {done:?}");
        if line.ends_with("echo hello") {
            assert_eq!(done.out(), "hello");
        }
        if line.contains("-p 8080:80") {
            let page = until(Duration::from_secs(10), "the port answers", || Ok(http_get(&address)))?;
            assert_eq!(page, "hello from davit\n");
        }
        if line.ends_with(" ps") {
            assert!(done.stdout.contains("web"), "{line}: {done:?}");
        }
    }
    assert!(ran >= 4, "the README shows how to run, publish and follow");
    for (line, follower) in followers {
        let done = follower.join().map_err(|_| anyhow::anyhow!("{line}: the thread failed"))??;
        assert!(done.code == 0 && done.stdout.contains("serving"), "{line}: {done:?}");
    }
    world.daemon.finish()
}

#[test]
fn every_verb_that_it_lists_is_there() -> Result<()> {
    let text = readme()?;
    let (_, verbs) = text.split_once("## Verbs").context("the README has no table of verbs")?;
    let table = verbs.split("\n## ").next().unwrap_or_default();
    let verbs: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .collect();
    assert!(verbs.len() > 20, "{verbs:?}");
    for verb in verbs {
        let mut davit = Command::new(programs().join("davit"));
        davit.args(verb.split(' ')).arg("--help");
        let done = run(davit, None)?;
        ensure!(done.code == 0, "davit {verb}: {done:?}");
    }
    Ok(())
}

#[test]
fn every_xtask_that_it_names_is_there() -> Result<()> {
    let contributing = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../CONTRIBUTING.md");
    let text = format!("{}{}", readme()?, std::fs::read_to_string(contributing)?);
    let named = text.match_indices("cargo xtask ").filter_map(|(at, words)| text.get(at + words.len()..));
    let mut count = 0;
    for rest in named {
        let verb: String =
            rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-' || c.is_ascii_digit()).collect();
        let mut xtask = Command::new(programs().join("xtask"));
        xtask.args([&verb, "--help"]);
        let done = run(xtask, None)?;
        ensure!(done.code == 0, "cargo xtask {verb}: {done:?}");
        count += 1;
    }
    assert!(count >= 3, "the README names the commands to begin with");
    Ok(())
}
