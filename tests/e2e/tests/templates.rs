//! Every template of every language, as an author gets it: made by `davit plugin new`, tested by its own test, built, checked,
//! held to the rules of its kind, and to the plans that Rust's template makes of the same requests.
//!
//! A language that this machine cannot have is skipped, and said. What its tools fetch or make that serves all of its
//! templates is kept in the target folder, in `templates/LANG`.
#![allow(clippy::print_stdout, reason = "what a test skips and measures is said to whoever runs it")]

use anyhow::{Context as _, Result, bail, ensure};
use davit_e2e::{Done, run_within};
use davit_fixtures::daemon::programs;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

const KINDS: [&str; 4] = ["storage", "network", "registry-auth", "lifecycle"];
/// A first build fetches and compiles what it needs.
const PATIENCE: Duration = Duration::from_secs(600);

/// The same in all languages, since errors name the plugin.
fn name(kind: &str) -> String {
    format!("sample-{kind}")
}

/// Plans by kind.
type Plans = BTreeMap<&'static str, Value>;

/// The target folder, beside whose programs the tests run.
fn target() -> Result<PathBuf> {
    let programs = fs::canonicalize(programs()).context("the programs are not built")?;
    programs.parent().map(Path::to_owned).context("the programs are in no folder")
}

/// Where a language's plugins are made.
struct Workshop {
    language: &'static str,
    dir: PathBuf,
    /// What every command gets.
    environment: Vec<(String, OsString)>,
    /// What building gets beside it.
    of_builds: Vec<(String, OsString)>,
    _lock: File,
}

impl Workshop {
    fn open(language: &'static str) -> Result<Self> {
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
    fn plans(&self, kind: &'static str) -> Result<Value> {
        let plugin = self.new_plugin(kind)?;
        self.furnish(&plugin)?;
        self.own_test(&plugin)?;
        let built = self.davit(&plugin, &["build"])?;
        let file = format!("{}.wasm", name(kind));
        ensure!(built.stdout.contains(&file) && built.stdout.contains("sha256:"), "{built:?}");
        let checked = self.davit(&plugin, &["check", &file])?;
        ensure!(checked.stdout.contains(&format!("kinds    {kind}")), "{checked:?}");
        ensure!(!checked.stdout.contains("warning:"), "a template leaves doubts: {}", checked.stdout);
        let Ok(planned) = self.davit(&plugin, &["test", &file, "--requests", "200", "--plan"]) else {
            // It says why where it is not asked for plans.
            self.davit(&plugin, &["test", &file, "--requests", "200"])?;
            bail!("the suite failed once and passed once");
        };
        Ok(serde_json::from_str(&planned.stdout)?)
    }

    fn all_plans(&self) -> Result<Plans> {
        KINDS.into_iter().map(|kind| Ok((kind, self.plans(kind).with_context(|| kind)?))).collect()
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

/// Rust's plans, made once.
fn reference() -> Result<&'static Plans> {
    static PLANS: OnceLock<Result<Plans, String>> = OnceLock::new();
    let plans = PLANS.get_or_init(|| {
        let plans = Workshop::open("rust").and_then(|shop| shop.all_plans());
        plans.map_err(|e| format!("{e:#}"))
    });
    plans.as_ref().map_err(|e| anyhow::anyhow!("rust: {e}"))
}

/// The first place where two plans part.
fn parting(at: &str, ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(n, (a, b))| parting(&format!("{at}/{n}"), a, b))
        }
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().zip(b.values()).find_map(|((key, a), b)| parting(&format!("{at}/{key}"), a, b))
        }
        _ if ours == theirs => None,
        _ => Some(format!("{at}: Rust's is {ours}, this is {theirs}")),
    }
}

/// Whether a machine has a language: the commands that must answer.
fn missing(probes: &[&[&str]]) -> Option<String> {
    probes.iter().find_map(|probe| {
        let (program, words) = probe.split_first()?;
        match Command::new(program).args(words).stdin(Stdio::null()).output() {
            Ok(out) if out.status.success() => None,
            Ok(out) => Some(format!("{} ended with {}", probe.join(" "), out.status)),
            Err(error) => Some(format!("{program}: {error}")),
        }
    })
}

fn agrees(language: &'static str, probes: &[&[&str]]) -> Result<()> {
    if let Some(why) = missing(probes) {
        println!("skipped: {language} cannot be had here: {why}");
        return Ok(());
    }
    let plans = Workshop::open(language)?.all_plans().with_context(|| language)?;
    for (kind, wanted) in reference()? {
        let got = plans.get(kind).with_context(|| format!("no plans of kind {kind}"))?;
        if let Some(place) = parting("", wanted, got) {
            bail!("{language}, {kind}: {place}");
        }
    }
    Ok(())
}

#[test]
fn templates_in_rust_are_whole_and_plan() -> Result<()> {
    for (kind, plans) in reference()? {
        let plans = plans.as_array().context("a list of plans")?;
        ensure!(plans.len() >= 200, "{kind}: only {} requests", plans.len());
    }
    Ok(())
}

#[test]
fn templates_in_c_are_whole_and_plan_as_those_in_rust() -> Result<()> {
    agrees("c", &[&["clang-14", "--version"], &["wasm-ld-14", "--version"], &["make", "--version"]])
}

#[test]
fn templates_in_go_are_whole_and_plan_as_those_in_rust() -> Result<()> {
    // One that knows of toolchains (1.21) fetches the one that go.mod wants.
    agrees("go", &[&["sh", "-c", "go env GOVERSION | grep -E '^go1[.](2[1-9]|[3-9][0-9])'"]])
}

#[test]
fn templates_in_javascript_are_whole_and_plan_as_those_in_rust() -> Result<()> {
    // The templates' tests stand on this flag (18.19).
    agrees("js", &[&["node", "--import", "data:text/javascript,", "-e", "0"], &["npm", "--version"]])
}

#[test]
fn templates_in_python_are_whole_and_plan_as_those_in_rust() -> Result<()> {
    let recent = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))";
    agrees("python", &[&["python3", "-c", recent]])
}
