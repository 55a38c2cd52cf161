//! The contract as pages to read in `plugin-sdk/reference`: one a kind, with everything that a plugin of it may import and
//! export, from the prose in `wit/`.

use super::{BENEATH, KINDS, Made, generated};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_markdown::Opts;

/// Where the pages are.
pub(super) const FOLDER: &str = "plugin-sdk/reference";

/// What each kind exports.
const EXPORTS: &[(&str, &[&str])] = &[
    ("lifecycle", &["mutate", "admit", "before-start", "after-exit", "observe"]),
    ("network", &["driver", "released"]),
    ("registry-auth", &["authenticator", "resolver", "verifier"]),
    ("storage", &["driver", "usage", "reconcile", "released"]),
];
/// What each may import beside its own host.
const IMPORTS: &[&str] = &["log", "clock", "config", "state", "secrets", "http"];
const VERSION: &str = "0.1.0";

/// Makes the page of every kind.
pub(super) fn make(root: &Path, made: &mut Made) -> Result<()> {
    for kind in KINDS {
        let mut resolve = Resolve::default();
        for package in BENEATH.iter().chain([kind]) {
            let dir = root.join("wit").join(package);
            resolve.push_dir(&dir).with_context(|| format!("{} does not parse", dir.display()))?;
        }
        let package = resolve.push_source("reference.wit", &world(kind)?)?;
        let world = resolve.select_world(&[package], None)?;
        for (file, bytes) in generated(Opts::default().build(), resolve, world)? {
            if file.extension().is_some_and(|end| end == "md") {
                made.insert(PathBuf::from(FOLDER).join(file), bytes);
            }
        }
    }
    Ok(())
}

fn world(kind: &str) -> Result<String> {
    let (_, exports) = EXPORTS.iter().find(|(k, _)| *k == kind).with_context(|| format!("{kind} exports nothing"))?;
    let mut text = format!(
        "package davit:reference;\n\n/// All that a plugin of the kind {kind} may import, and all that it may export.\n\
         world {kind} {{\n"
    );
    for import in IMPORTS {
        text.push_str(&format!("  import davit:host/{import}@{VERSION};\n"));
    }
    text.push_str(&format!("  import davit:{kind}/host@{VERSION};\n"));
    for export in *exports {
        text.push_str(&format!("  export davit:{kind}/{export}@{VERSION};\n"));
    }
    text.push_str("}\n");
    Ok(text)
}
