//! Where templates are made, tested, built and asked for their plans: a folder for each language, with what its tools fetch
//! or make that serves all of its templates. It does not know what the plans should be.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::{Done, run_within};
use davit_fixtures::daemon::programs;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

const KINDS: [&str; 4] = ["storage", "network", "registry-auth", "lifecycle"];
/// A first build fetches and compiles what it needs.
const PATIENCE: Duration = Duration::from_secs(600);

/// The same in all languages, since errors name the plugin.
pub(crate) fn name(kind: &str) -> String {
    format!("sample-{kind}")
}

/// A template that was made into a component.
pub(crate) struct Template {
    pub(crate) component: PathBuf,
    pub(crate) plans: Value,
}

/// By kind.
pub(crate) type Templates = BTreeMap<&'static str, Template>;

/// The target folder, beside whose programs the tests run.
fn target() -> Result<PathBuf> {
    let programs = fs::canonicalize(programs()).context("the programs are not built")?;
    programs.parent().map(Path::to_owned).context("the programs are in no folder")
}

/// Where a language's plugins are made.
pub(crate) struct Workshop {
    language: &'static str,
    dir: PathBuf,
    /// What every command gets.
    environment: Vec<(String, OsString)>,
    /// What building gets beside it.
    of_builds: Vec<(String, OsString)>,
    _lock: File,
}

impl Workshop {
    pub(crate) fn open(language: &'static str) -> Result<Self> {
        let dir = target()?.join("templates").join(language);
        fs::create_dir_all(&dir)?;
        let lock = File::create(dir.join("lock"))?;
        lock.lock()?;
        // Compiled forms of the plugins, and what the language's tools fetch.
        let environment = vec![("XDG_CACHE_HOME".into(), dir.join("cache").into())];
        let mut shop = Self { language, dir, environment, of_builds: Vec::new(), _lock: lock };
        match language {
            "rust" => {
                // What the shipped plugins are built from is there already.
                shop.environment.push(("CARGO_TARGET_DIR".into(), target()?.join("plugins").into()));
                shop.of_builds = wasm_toolchain();
            }
            "python" => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                let path = [shop.dir.join("venv/bin")].into_iter().chain(std::env::split_paths(&path));
                shop.environment.push(("PATH".into(), std::env::join_paths(path)?));
            }
            _ => {}
        }
        Ok(shop)
    }

    fn run(&self, folder: &Path, program: impl Into<PathBuf>, words: &[&str]) -> Result<Done> {
        let mut command = Command::new(program.into());
        command.args(words).current_dir(folder).envs(self.environment.iter().cloned());
        if words.contains(&"build") {
            command.envs(self.of_builds.iter().cloned());
        }
        let shown = format!("{} in {}", words.join(" "), folder.display());
        run_within(command, None, PATIENCE)?.success().with_context(|| shown)
    }

    fn davit(&self, folder: &Path, words: &[&str]) -> Result<Done> {
        self.run(folder, programs().join("davit"), &[&["plugin"], words].concat())
    }

    /// A plugin's folder, new.
    fn new_plugin(&self, kind: &'static str) -> Result<PathBuf> {
        let place = self.dir.join(kind);
        if place.exists() {
            fs::remove_dir_all(&place)?;
        }
        fs::create_dir(&place)?;
        let words = ["new", "--kind", kind, "--lang", self.language, &name(kind)];
        let made = self.davit(&place, &words)?;
        ensure!(made.stdout.contains("davit plugin build"), "it does not say what comes next: {made:?}");
        ensure!(self.davit(&place, &words).is_err(), "a folder that is there was written to");
        Ok(place.join(name(kind)))
    }

    /// What serves all plugins of the language, by the first one's files.
    fn furnish(&self, plugin: &Path) -> Result<()> {
        match self.language {
            "rust" => {
                // The versions that this repository is built with: nothing else is fetched.
                let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
                fs::copy(lock, plugin.join("Cargo.lock"))?;
            }
            "js" => {
                let (ours, theirs) = (self.dir.join("package-lock.json"), plugin.join("package-lock.json"));
                let installed = self.dir.join("node_modules/.package-lock.json").exists();
                if !installed || fs::read(&ours).ok() != Some(fs::read(&theirs)?) {
                    fs::copy(plugin.join("package.json"), self.dir.join("package.json"))?;
                    fs::copy(theirs, ours)?;
                    self.run(&self.dir, "npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"])?;
                }
            }
            "python" => {
                let wanted = fs::read_to_string(plugin.join("pyproject.toml"))?;
                let wanted = wanted.split('"').find(|word| word.starts_with("componentize-py=="));
                let wanted = wanted.context("pyproject.toml pins no componentize-py")?;
                let version = wanted.rsplit('=').next().unwrap_or_default();
                let tool = self.dir.join("venv/bin/componentize-py");
                let is = Command::new(&tool).arg("--version").stderr(Stdio::null()).output();
                if !is.is_ok_and(|is| String::from_utf8_lossy(&is.stdout).trim().ends_with(version)) {
                    self.run(&self.dir, "python3", &["-m", "venv", "--clear", "venv"])?;
                    let words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", wanted];
                    self.run(&self.dir, self.dir.join("venv/bin/python"), &words)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The plugin's own test, by the language's ordinary command.
    fn own_test(&self, plugin: &Path) -> Result<Done> {
        match self.language {
            "rust" => self.run(plugin, "cargo", &["test", "--quiet"]),
            "c" => self.run(plugin, "make", &["test"]),
            "go" => self.run(plugin, "go", &["test", "./..."]),
            "js" => self.run(plugin, "npm", &["test"]),
            _ => self.run(plugin, "python3", &["-m", "unittest"]),
        }
    }

    /// One template, from nothing to its plans.
    fn template(&self, kind: &'static str) -> Result<Template> {
        let plugin = self.new_plugin(kind)?;
        self.furnish(&plugin)?;
        self.own_test(&plugin)?;
        let built = self.davit(&plugin, &["build"])?;
        let file = format!("{}.wasm", name(kind));
        ensure!(built.stdout.contains(&file) && built.stdout.contains("sha256:"), "{built:?}");
        let checked = self.davit(&plugin, &["check", &file])?;
        ensure!(checked.stdout.contains(&format!("kinds    {kind}")), "{checked:?}");
        ensure!(!checked.stdout.contains("warning:"), "a template leaves doubts: {}", checked.stdout);
        let planned = self.davit(&plugin, &["test", &file, "--requests", "200", "--plan"])?;
        Ok(Template { component: plugin.join(file), plans: serde_json::from_str(&planned.stdout)? })
    }

    /// Where the author's tools keep what they compiled.
    pub(crate) fn forms(&self) -> PathBuf {
        self.dir.join("cache/davit/compiled")
    }

    /// All templates of the language.
    pub(crate) fn templates(&self) -> Result<Templates> {
        KINDS.into_iter().map(|kind| Ok((kind, self.template(kind).with_context(|| kind)?))).collect()
    }
}

/// What `cargo xtask test` found to compile WebAssembly with, where the toolchain of these tests cannot.
fn wasm_toolchain() -> Vec<(String, OsString)> {
    let ours = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        Some((name.strip_prefix("DAVIT_WASM_")?.to_owned(), value))
    });
    ours.collect()
}
