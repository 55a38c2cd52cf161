//! Go: packages in `bindings/` of the plugin's own module. What every kind imports, and the runtime package
//! that the generated code stands on, are the same for all kinds and lie in `shared`. That package's source is inside the
//! generator's crate; of it, what a contract without streams and futures needs is taken.

use super::{KINDS, Made, generated, world};
use crate::{command, workspace};
use anyhow::{Context as _, Result, bail};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use wit_bindgen_go::{Format, Opts};

/// Where the templates are.
pub(super) const FOLDER: &str = "plugin-sdk/go/templates";

/// The world of what every kind may import.
const SHARED: &str = "/// What a plugin of any kind may import.
package davit:plugin;

/// All of it.
world plugin {
  import davit:host/log@0.1.0;
  import davit:host/clock@0.1.0;
  import davit:host/config@0.1.0;
  import davit:host/state@0.1.0;
  import davit:host/secrets@0.1.0;
  import davit:host/http@0.1.0;
}
";

/// Files of the runtime package.
const RUNTIME: &[&str] = &[
    "LICENSE",
    "go.mod",
    "wit/runtime/empty.s",
    "wit/runtime/runtime.go",
    "wit/types/option.go",
    "wit/types/result.go",
    "wit/types/tuple.go",
    "wit/types/unit.go",
];

/// Makes the bindings of every kind, and what they share.
pub(super) fn make(root: &Path, made: &mut Made) -> Result<()> {
    if Command::new("gofmt").arg("-h").output().is_err() {
        bail!(
            "gofmt is not there, which the Go bindings are formatted with: install Go 1.25 or later (https://go.dev/dl)"
        );
    }
    let file = tempfile::Builder::new().suffix(".wit").tempfile()?;
    fs::write(file.path(), SHARED)?;
    let mut shared = bindings(root, "storage", file.path())?;
    // It exports nothing: each kind has its own.
    shared.retain(|file, _| !file.starts_with("wit_exports"));
    for kind in KINDS {
        let template = Path::new(FOLDER).join(kind);
        let all = bindings(root, kind, &root.join(&template).join("world.wit"))?;
        let own = all.into_iter().filter(|(file, _)| !shared.contains_key(file));
        made.extend(own.map(|(file, bytes)| (template.join("bindings").join(file), bytes)));
    }
    let into = Path::new(FOLDER).join("shared/bindings");
    made.extend(shared.into_iter().map(|(file, bytes)| (into.join(file), bytes)));
    let source = runtime()?;
    for file in RUNTIME {
        let from = source.join(file);
        let bytes = fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
        made.insert(into.join("pkg").join(file), bytes);
    }
    Ok(())
}

fn bindings(root: &Path, kind: &str, file: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let (resolve, world) = world(root, kind, file)?;
    let options = Opts {
        format: Format::True,
        pkg_name: Some("example.org/my-plugin/bindings".to_owned()),
        export_pkg_name: Some("example.org/my-plugin/davit/exports".to_owned()),
        ..Opts::default()
    };
    let files = generated(options.build(), resolve, world)?;
    let tidied = files.into_iter().map(|(file, bytes)| {
        let code = without_origin(&bytes);
        let code = if file.starts_with("wit_exports") { for_components(&code) } else { code };
        (file, code.into_bytes())
    });
    Ok(tidied.collect())
}

/// What exports functions has no meaning in a test that runs outside of WebAssembly.
fn for_components(code: &str) -> String {
    code.replacen("package ", "//go:build wasip1\n\npackage ", 1)
}

/// Without the list of packages that a file's world had: it differs between kinds where the code does not.
fn without_origin(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let listed = |line: &str| {
        line == "//" || line.starts_with("// This code was generated from") || line.starts_with("//     davit:")
    };
    let mut lines = text.split_inclusive('\n');
    let mut kept: String = lines.next().unwrap_or_default().to_owned();
    kept.extend(lines.skip_while(|line| listed(line.trim_end())));
    kept
}

/// The folder of the runtime package, within the generator's own crate.
fn runtime() -> Result<PathBuf> {
    let mut ask = Command::new(workspace::cargo());
    // Crates of other platforms are not there, and this asks for none of them.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    ask.args(["metadata", "--format-version", "1", "--filter-platform", &platform]).current_dir(workspace::root()?);
    let metadata: serde_json::Value = serde_json::from_str(&command::output(&mut ask)?)?;
    let packages = metadata["packages"].as_array().map_or(&[] as &[_], Vec::as_slice);
    let generator = packages.iter().find(|package| package["name"] == "wit-bindgen-go");
    let manifest = generator.and_then(|package| package["manifest_path"].as_str());
    let manifest = Path::new(manifest.context("cargo knows no package wit-bindgen-go")?);
    Ok(manifest.with_file_name("src").join("pkg"))
}
