//! The guide's first page is walked as it stands, in each language: its commands are run, its addition to the site's file is
//! made, and what it promises is looked for. The clock is read, and never judged.
#![allow(clippy::print_stdout, reason = "what a test skips and measures is said to whoever runs it")]

use anyhow::{Context as _, Result, bail, ensure};
use davit_e2e::{Done, World, run_within};
use davit_fixtures::daemon::programs;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// A first build fetches and compiles what it needs.
const PATIENCE: Duration = Duration::from_secs(600);

const SITE: &str = r#"[storage]
driver = "overlay"
[[auth]]
pattern = "*"
plugin = "docker-config"
[network]
default = "none"
drivers = ["none"]
"#;

/// A fenced block of the page.
struct Block {
    language: String,
    lines: Vec<String>,
}

fn page() -> Result<Vec<Block>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin-sdk/guide/first-plugin.md");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(language) if !inside => {
                inside = true;
                blocks.push(Block { language: language.to_owned(), lines: Vec::new() });
            }
            Some(_) => inside = false,
            None if inside => blocks.last_mut().context("a block")?.lines.push(line.to_owned()),
            None => {}
        }
    }
    ensure!(!inside && blocks.len() > 6, "the page has {} whole blocks", blocks.len());
    Ok(blocks)
}

/// A command of the page; building in some languages takes longer than other tests wait.
fn shell(world: &World, folder: &Path, words: &str) -> Result<Done> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([programs()].into_iter().chain(std::env::split_paths(&path)))?;
    let mut command = Command::new("sh");
    command.args(["-c", words]).current_dir(folder);
    // The language's own caches are the user's.
    let home = std::env::var_os("HOME").unwrap_or_else(|| "/root".into());
    command.env("PATH", path).env("HOME", home).env("DAVIT_HOST", world.daemon.host());
    // Where only a toolchain beside the active one makes components, the suite says which.
    for (name, value) in std::env::vars_os() {
        if let Some(name) = name.to_str().and_then(|name| name.strip_prefix("DAVIT_WASM_")) {
            command.env(name, value);
        }
    }
    run_within(command, None, PATIENCE)
}

/// Walks the page in a language; none: the machine cannot have it, for this reason.
fn walk(language: &str) -> Result<Option<String>> {
    let world = World::with_site(Some(SITE))?;
    world.pull()?;
    let dir = tempfile::Builder::new().prefix("davit-guide-").tempdir()?;
    let mut folder: PathBuf = dir.path().to_owned();
    let began = Instant::now();
    let (mut ran, mut label, mut log) = (0, String::new(), String::new());
    for block in page()? {
        if block.language == "toml" {
            let site = world.daemon.site_file().context("a site file")?;
            fs::write(site, format!("{SITE}\n{}\n", block.lines.join("\n")))?;
        }
        if block.language != "console" {
            continue;
        }
        for line in block.lines.iter().filter_map(|line| line.strip_prefix("$ ")) {
            if let Some(into) = line.strip_prefix("cd ") {
                folder = folder.join(into);
                continue;
            }
            let words = line
                .replace("--lang rust", &format!("--lang {language}"))
                .replace("IMAGE", &world.busybox)
                .replace("REGISTRY", &world.registry.host);
            let done = shell(&world, &folder, &words)?;
            if line == "davit plugin build" && done.code != 0 && done.stderr.contains(" is not there; ") {
                return Ok(Some(done.stderr.trim().to_owned()));
            }
            if done.code != 0 {
                bail!("{language}: {words}: {done:?}");
            }
            ran += 1;
            if line.contains(".Config.Labels.team") {
                label = done.out().to_owned();
            }
            if line.starts_with("davit plugin logs") {
                log.clone_from(&done.stdout);
            }
        }
    }
    println!("{language}: {ran} commands of the guide in {:.1} s", began.elapsed().as_secs_f64());
    ensure!(ran >= 12, "only {ran} commands were found");
    ensure!(label == "web", "{language}: the label is {label:?}");
    ensure!(log.contains("container.create"), "{language}: its log: {log}");
    let refused = world.davit(&["pull", "docker.io/library/busybox"])?;
    ensure!(refused.code == 1 && refused.stderr.contains("is refused"), "{language}: {refused:?}");
    ensure!(refused.stderr.contains("plugin house@0.1.0, admit: denied"), "{language}: {refused:?}");
    world.daemon.finish()?;
    Ok(None)
}

fn walked(language: &str) -> Result<()> {
    if let Some(why) = walk(language)? {
        println!("skipped: {language} cannot be had here: {why}");
    }
    Ok(())
}

#[test]
fn the_guide_leads_to_a_plugin_in_use_in_rust() -> Result<()> {
    ensure!(walk("rust")?.is_none(), "Rust is what this is built with");
    Ok(())
}

#[test]
fn the_guide_leads_to_a_plugin_in_use_in_c() -> Result<()> {
    walked("c")
}

#[test]
fn the_guide_leads_to_a_plugin_in_use_in_go() -> Result<()> {
    walked("go")
}

#[test]
fn the_guide_leads_to_a_plugin_in_use_in_javascript() -> Result<()> {
    walked("js")
}

#[test]
fn the_guide_leads_to_a_plugin_in_use_in_python() -> Result<()> {
    walked("python")
}
