//! `davit plugin new`: the folder of a new plugin, which builds, tests and runs as it is. It is written from what this
//! program has within itself (`build.rs`): the templates of `plugin-sdk/`, which the test suite builds as well, a call of the
//! kind as `request.json`, and `wit/`.
//!
//! A template is `plugin-sdk/LANG/templates/KIND/` on top of `plugin-sdk/LANG/templates/shared/`. In contents and names of
//! files the words `my-plugin`, `my_plugin` and `MyPlugin` stand for the plugin's name. A file whose own name would be
//! taken for something within Davit's sources has another one there: `NAME.in` is written as `NAME` (`Cargo.toml.in`, which
//! cargo would take for a package), `gitignore` as `.gitignore`.

mod name;
mod sdk;

use super::say;
use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use name::Name;
use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Davit's own files by their path in the repository.
const SOURCES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/sources.rs"));

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// What it decides about
    #[arg(long)]
    kind: Kind,
    /// The language that it is written in
    #[arg(long)]
    lang: Language,
    /// Its name: small letters, digits and hyphens
    name: Name,
    /// The folder that its own is made in
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Kinds of plugins.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Storage,
    Network,
    RegistryAuth,
    Lifecycle,
}

/// Languages with templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    Rust,
    C,
    Js,
    Python,
    Go,
}

/// How a value is written on the command line, which is how its folder is called.
fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

impl Language {
    /// The command that runs the plugin's own test.
    fn test(self) -> &'static str {
        match self {
            Self::Rust => "cargo test",
            Self::C => "make test",
            Self::Js => "npm test",
            Self::Python => "python3 -m unittest",
            Self::Go => "go test ./...",
        }
    }
}

pub(super) fn run(options: &Options) -> Result<ExitCode> {
    let Options { kind, lang, name, dir } = options;
    let files = files(*kind, *lang, name)?;
    let folder = dir.join(name.plain());
    write(&folder, &files)?;
    say(&format!("{}: a plugin of kind {} in {}. Next:", folder.display(), word(kind), word(lang)));
    say(&format!("  cd {}", folder.display()));
    say(&format!("  {:<40} its own test", lang.test()));
    say(&format!("  {:<40} makes {name}.wasm", "davit plugin build"));
    say(&format!("  {:<40} the rules of its kind", format!("davit plugin test {name}.wasm")));
    Ok(ExitCode::SUCCESS)
}

/// The plugin's files by their path in its folder.
fn files(kind: Kind, lang: Language, name: &Name) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let templates = format!("plugin-sdk/{}/templates", word(&lang));
    let mut files = BTreeMap::new();
    // The kind's own come last: they replace a shared one of the same name.
    for folder in ["shared".to_owned(), word(&kind)] {
        for (path, content) in beneath(&format!("{templates}/{folder}/")) {
            files.insert(PathBuf::from(name.put_into(&written(path))), filled(content, name));
        }
    }
    if !files.contains_key(Path::new("plugin.toml")) {
        bail!("this davit has no template of kind {} in {}", word(&kind), word(&lang));
    }
    for (_, call) in beneath(&format!("plugin-sdk/calls/{}.json", word(&kind))) {
        files.insert(PathBuf::from("request.json"), call.to_vec());
    }
    for (path, content) in beneath("wit/").filter(|(path, _)| path.ends_with(".wit")) {
        files.insert(Path::new("wit").join(path), content.to_vec());
    }
    if lang == Language::Rust {
        for (path, content) in sdk::files()? {
            files.insert(Path::new("sdk/rust").join(path), content);
        }
    }
    Ok(files)
}

/// Davit's own files beneath a folder, by their path from there.
fn beneath(folder: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    SOURCES.iter().filter_map(move |(path, content)| Some((path.strip_prefix(folder)?, *content)))
}

/// What a template's file is called where it is written.
fn written(path: &str) -> String {
    let path = path.strip_suffix(".in").unwrap_or(path);
    match path.rsplit_once('/') {
        None if path == "gitignore" => ".gitignore".to_owned(),
        Some((folder, "gitignore")) => format!("{folder}/.gitignore"),
        _ => path.to_owned(),
    }
}

/// A template's content with the plugin's name in it; what is no text stays as it is.
fn filled(content: &[u8], name: &Name) -> Vec<u8> {
    std::str::from_utf8(content).map_or_else(|_| content.to_vec(), |text| name.put_into(text).into_bytes())
}

/// Writes a folder that is not there yet; one that cannot be written whole does not stay.
fn write(folder: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    match fs::create_dir(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} is there already; choose another name, or --dir", folder.display())
        }
        Err(error) => return Err(error).with_context(|| format!("cannot make the folder {}", folder.display())),
    }
    let written = files.iter().try_for_each(|(path, content)| {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).with_context(|| format!("cannot make the folder {}", parent.display()))?;
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
    });
    if written.is_err() {
        // The first error is what matters.
        let _ = fs::remove_dir_all(folder);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_holds_what_an_author_needs_and_none_of_the_placeholders() {
        let name: Name = "site-auth".parse().unwrap();
        for lang in Language::value_variants() {
            for kind in Kind::value_variants() {
                let files = files(*kind, *lang, &name).unwrap();
                let text = |path: &str| {
                    let content = files.get(Path::new(path)).unwrap_or_else(|| panic!("{lang:?} {kind:?}: no {path}"));
                    String::from_utf8(content.clone()).unwrap()
                };
                assert!(text("plugin.toml").contains("name = \"site-auth\""), "{lang:?} {kind:?}");
                assert!(text("README.md").contains("davit plugin build"), "{lang:?} {kind:?}");
                assert!(text("request.json").contains(&word(kind)), "{lang:?} {kind:?}");
                assert!(text("wit/types/types.wit").contains("package davit:types"));
                for (path, content) in &files {
                    let left = ["my-plugin", "my_plugin", "MyPlugin"].iter().any(|word| {
                        path.to_string_lossy().contains(word) || String::from_utf8_lossy(content).contains(word)
                    });
                    assert!(!left, "{lang:?} {kind:?}: {} has a placeholder", path.display());
                }
            }
        }
    }

    #[test]
    fn files_get_the_names_that_tools_look_for() {
        for (stored, wanted) in [
            ("Cargo.toml.in", "Cargo.toml"),
            ("gitignore", ".gitignore"),
            ("test/gitignore", "test/.gitignore"),
            ("src/lib.rs", "src/lib.rs"),
        ] {
            assert_eq!(written(stored), wanted);
        }
    }

    #[test]
    fn a_folder_that_is_there_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let files = BTreeMap::from([(PathBuf::from("a/b"), b"1".to_vec())]);
        write(&dir.path().join("new"), &files).unwrap();
        let error = write(&dir.path().join("new"), &BTreeMap::new()).unwrap_err().to_string();
        assert!(error.contains("is there already"), "{error}");
        assert_eq!(fs::read(dir.path().join("new/a/b")).unwrap(), b"1");
    }

    #[test]
    fn a_folder_that_cannot_be_written_whole_does_not_stay() {
        let dir = tempfile::tempdir().unwrap();
        let files = BTreeMap::from([(PathBuf::from("a"), Vec::new()), (PathBuf::from("a/b"), Vec::new())]);
        assert!(write(&dir.path().join("new"), &files).is_err());
        assert!(!dir.path().join("new").exists());
    }
}
