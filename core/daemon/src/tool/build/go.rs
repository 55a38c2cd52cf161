//! Go: the compiler makes a library for WASI's first preview, into which the type of the world in `world.wit` is put; its
//! packages are those of `wit/`, a folder each. Nothing is fetched.

use super::{Project, component, read, run};
use anyhow::{Context as _, Result, anyhow};
use std::{fs, path::Path, process::Command};
use wit_component::StringEncoding;
use wit_parser::{Resolve, UnresolvedPackageGroup};

const GO: &str = "it wants Go 1.25 or newer (https://go.dev/dl)";

pub(super) fn build(project: &Project) -> Result<Vec<u8>> {
    let module = project.dir.join("core.wasm");
    let mut go = Command::new("go");
    // Without symbols, and without what differs between machines; the bindings allocate with a function of Go's runtime.
    go.args(["build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -checklinkname=0", "-o"]);
    go.arg(&module).arg(".").env("GOOS", "wasip1").env("GOARCH", "wasm").current_dir(&project.dir);
    run(&mut go, GO)?;
    component(&typed(read(&module)?, &project.dir)?, true)
}

/// A module with the type of the plugin's world.
fn typed(mut module: Vec<u8>, dir: &Path) -> Result<Vec<u8>> {
    let file = dir.join("world.wit");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let parsed = UnresolvedPackageGroup::parse(&file, &text);
    let main = parsed.map_err(|(sources, error)| anyhow!("{}: {}", file.display(), error.render(&sources)))?;
    let contract = dir.join("wit");
    let mut packages = Vec::new();
    for entry in fs::read_dir(&contract).with_context(|| format!("cannot read {}", contract.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            packages.push(UnresolvedPackageGroup::parse_dir(&path).with_context(|| format!("{}", path.display()))?);
        }
    }
    let mut resolve = Resolve::default();
    let package = resolve.push_groups(main, packages).with_context(|| format!("{}", file.display()))?;
    let world = resolve.select_world(&[package], None).with_context(|| format!("{}", file.display()))?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    Ok(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module of no sections.
    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

    fn project(world: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in
            [("z", "package a:z; interface i { type t = u8; }"), ("b", "package a:b; world w { import a:z/i; }")]
        {
            fs::create_dir_all(dir.path().join("wit").join(name)).unwrap();
            fs::write(dir.path().join("wit").join(name).join("it.wit"), text).unwrap();
        }
        fs::write(dir.path().join("world.wit"), world).unwrap();
        dir
    }

    #[test]
    fn a_module_gets_the_type_of_the_folders_world_whatever_the_order_of_its_packages() {
        let dir = project("package a:plugin; world plugin { include a:b/w; }");
        let module = typed(EMPTY.to_vec(), dir.path()).unwrap();
        let (_, found) = wit_component::metadata::decode(&module).unwrap();
        let world = &found.resolve.worlds[found.world];
        let imports: Vec<_> = world.imports.keys().map(|key| found.resolve.name_world_key(key)).collect();
        assert_eq!(imports, ["a:z/i"]);
    }

    #[test]
    fn a_world_that_is_none_is_said_with_its_file() {
        for (world, wanted) in [
            ("package a:plugin; world plugin {", "world.wit"),
            ("package a:plugin; world plugin { include a:c/w; }", "a:c"),
        ] {
            let error = format!("{:#}", typed(EMPTY.to_vec(), project(world).path()).unwrap_err());
            assert!(error.contains(wanted), "{error}");
        }
    }
}
