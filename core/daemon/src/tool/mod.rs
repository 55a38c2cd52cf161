//! This program as a plugin author's tool: what is in a component, does it keep to its kind's rules, what does it answer.
//! `davit plugin new|build|check|test|run|bench|embed` becomes this. It needs no root, no daemon and no site, and touches no kernel
//! object.

mod bench;
mod build;
mod check;
mod embed;
mod forms;
mod judge;
mod new;
mod run;
mod test;

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::{Parser, Subcommand};
use davit_plugin_host::{Grant, HostOptions, Plugin, PluginHost, Source, conformance::Imagined, read_component};
use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// The argument that asks for it.
const WORD: &str = "plugin-tool";

/// davitd as a plugin author's tool.
#[derive(Debug, Parser)]
#[command(name = "davit plugin", bin_name = "davit plugin", version)]
struct Words {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the folder of a new plugin
    New(new::Options),
    /// Make a plugin of a folder, with the language's own tools
    Build(build::Options),
    /// What is in a component, and what an operator would be asked
    Check(check::Options),
    /// Whether a component keeps to the rules of its kind
    Test(test::Options),
    /// Make one call of a component
    Run(run::Options),
    /// Measure what a component costs: loading, calls, memory
    Bench(bench::Options),
    /// Put a manifest into a component
    Embed(embed::Options),
}

/// Acts as the tool where this process was started for that.
pub(crate) fn chosen() -> Option<ExitCode> {
    let mut words = std::env::args_os();
    words.next()?;
    if words.next()? != WORD {
        return None;
    }
    let words = Words::parse_from(std::iter::once("davit plugin".into()).chain(words));
    Some(done(&words).unwrap_or_else(|error| {
        // Where stderr is gone, nobody has to know.
        let _ = writeln!(std::io::stderr(), "davit plugin: {error:#}");
        ExitCode::FAILURE
    }))
}

fn done(words: &Words) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting tokio")?;
    runtime.block_on(async {
        match &words.verb {
            Verb::New(options) => new::run(options),
            Verb::Build(options) => build::build(options),
            Verb::Check(options) => check::run(options).await,
            Verb::Test(options) => test::run(options).await,
            Verb::Run(options) => run::run(options).await,
            Verb::Bench(options) => bench::run(options).await,
            Verb::Embed(options) => embed::run(options),
        }
    })
}

/// Prints to standard output, for a reader that may have gone.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints to standard error, likewise.
fn warn(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// What the author says of the site that the plugin would stand in.
#[derive(Clone, Debug, clap::Args)]
struct Component {
    /// The component
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The plugin's section of a site's file, as TOML: what would be [plugins.NAME.config]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What a site grants, as TOML: what would be [plugins.NAME.grant] [default: all that the manifest names]
    #[arg(long, value_name = "FILE")]
    grant: Option<PathBuf>,
}

/// A component in the real host, over services made of memory.
#[derive(Debug)]
struct Bench {
    granted: Arc<Plugin>,
    bare: Arc<Plugin>,
    services: Arc<Imagined>,
    size: usize,
}

impl Component {
    /// Loads it twice: with all that its manifest asks for, and with nothing.
    async fn load(&self) -> Result<Bench> {
        let file = &self.file;
        let bytes = component(file)?;
        let services = Arc::new(Imagined::with_config(self.section()?));
        let forms = forms::Forms::open()?;
        let host = PluginHost::new(HostOptions::new(forms.path(), services.clone()))?;
        let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let bare = host.load(&name, Source::Bytes(&bytes), &Grant::default()).await?;
        let asked = self.granted(&Grant::of_needs(bare.info()))?;
        let granted = host.load(&name, Source::Bytes(&bytes), &asked).await?;
        Ok(Bench { granted, bare, services, size: bytes.len() })
    }

    fn granted(&self, asked: &Grant) -> Result<Grant> {
        let Some(path) = &self.grant else { return Ok(asked.clone()) };
        let table = read(path)?.parse().with_context(|| format!("{} is not TOML", path.display()))?;
        let grant = Grant::from_table(&table).map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))?;
        Ok(Grant { digest: grant.digest.or_else(|| asked.digest.clone()), ..grant })
    }

    fn section(&self) -> Result<serde_json::Value> {
        let Some(path) = &self.config else { return Ok(serde_json::json!({})) };
        let table: toml::Table = read(path)?.parse().with_context(|| format!("{} is not TOML", path.display()))?;
        serde_json::to_value(table).with_context(|| format!("{} is no configuration", path.display()))
    }
}

/// The bytes of a component's file.
fn component(path: &Path) -> Result<Vec<u8>> {
    read_component(path).map_err(|e| anyhow!("{}: {e}", path.display()))
}

/// A text of the author's: larger ones are none.
fn read(path: &Path) -> Result<String> {
    const LARGEST: u64 = 64 << 20;
    let mut text = String::new();
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let size = file.take(LARGEST + 1).read_to_string(&mut text);
    let size = size.with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(size as u64 <= LARGEST, "{} has more than {LARGEST} bytes", path.display());
    Ok(text)
}
