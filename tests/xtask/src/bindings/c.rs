//! C: a header, a source, and an object file with the world's type for each kind. The names of interfaces are shortened to
//! their last word, so that a method is called `storage_method_layer_place` and an error `davit_error_t`.

use super::{KINDS, Made, generated, world};
use anyhow::Result;
use std::path::Path;
use wit_bindgen_c::{Enabled, Opts};
use wit_bindgen_core::wit_parser::{Resolve, WorldId, WorldKey};

/// Where the templates are.
pub(super) const FOLDER: &str = "plugin-sdk/c/templates";

/// Makes the bindings of every kind.
pub(super) fn make(root: &Path, made: &mut Made) -> Result<()> {
    for kind in KINDS {
        let template = Path::new(FOLDER).join(kind);
        let (resolve, world) = world(root, kind, &root.join(&template).join("world.wit"))?;
        let options = Opts { rename: short_names(&resolve, world), autodrop_borrows: Enabled::Yes, ..Opts::default() };
        for (file, bytes) in generated(options.build(), resolve, world)? {
            made.insert(template.join("bindings").join(file), bytes);
        }
    }
    Ok(())
}

/// `davit:host/config@0.1.0` is `config`; the interface `host` of a kind has the kind's name, and the shared types are
/// `davit`.
fn short_names(resolve: &Resolve, world: WorldId) -> Vec<(String, String)> {
    let Some(world) = resolve.worlds.get(world) else { return Vec::new() };
    let keys = world.imports.keys().chain(world.exports.keys());
    keys.filter_map(|key| {
        let WorldKey::Interface(id) = key else { return None };
        let interface = resolve.interfaces.get(*id)?;
        let package = resolve.packages.get(interface.package?)?;
        let short = match (package.name.name.as_str(), interface.name.as_deref()?) {
            ("types", _) => "davit",
            (kind, "host") => kind,
            (_, name) => name,
        };
        Some((resolve.name_world_key(key), short.replace('-', "_")))
    })
    .collect()
}
