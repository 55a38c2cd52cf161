//! Debian's road to WebAssembly: `rustc-web` from its security archive, unpacked into a private folder, and the
//! standard library built once with it. A marker is written last, so that a broken run is done again.

use crate::{command, toolchain::TARGET, workspace};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

/// The wrapper of a finished run, where there is one.
pub(super) fn ready(cache: &Path) -> Result<Option<PathBuf>> {
    let marker = cache.join("debian/ready");
    Ok(marker.exists().then(|| wrapper_path(cache)))
}

/// Makes everything from nothing and answers the compiler's wrapper.
pub(super) fn make(cache: &Path) -> Result<PathBuf> {
    let home = cache.join("debian");
    if home.exists() {
        fs::remove_dir_all(&home).with_context(|| format!("cannot remove {}", home.display()))?;
    }
    let root = home.join("root");
    fs::create_dir_all(&root)?;
    command::step("fetching Debian's web compiler (530 MB unpacked, about two minutes, once)");
    download(&home)?;
    unpack(&home, &root)?;
    link_source(&root)?;
    let wrapper = write_wrapper(cache, &root)?;
    build_std(&home, &root, &wrapper)?;
    fs::write(home.join("ready"), "").context("cannot write the toolchain's marker")?;
    Ok(wrapper)
}

fn wrapper_path(cache: &Path) -> PathBuf {
    cache.join("debian/rustc")
}

fn download(home: &Path) -> Result<()> {
    let hint = "Debian's package lists are needed; check the machine's package sources";
    command::run(Command::new("apt-get").args(["update", "-qq"]), hint)?;
    let mut ask = Command::new("apt-cache");
    ask.args(["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks"]);
    ask.args(["--no-replaces", "--no-enhances", "rustc-web"]);
    let mut wanted = vec!["rustc-web".to_owned(), "rust-web-src".to_owned()];
    wanted.extend(libraries(&command::output(&mut ask)?).filter(|name| !installed(name)).map(str::to_owned));
    let mut fetch = Command::new("apt-get");
    fetch.args(["-o", "APT::Sandbox::User=root", "download"]).args(&wanted).current_dir(home);
    command::run(&mut fetch, "the packages of bookworm-security are needed")
}

/// The libraries among all that a package needs, directly or not: `apt-cache` says each at the margin, once, and what
/// it needs in turn indented beneath it. A name in angle brackets is a virtual one.
fn libraries(closure: &str) -> impl Iterator<Item = &str> {
    closure.lines().filter(|line| line.starts_with("lib"))
}

/// Whether a package is on the machine, so that its files are found where they are.
fn installed(package: &str) -> bool {
    let mut ask = Command::new("dpkg-query");
    ask.args(["--show", "--showformat=${db:Status-Status}", package]);
    // Of one that was never there it says so on stderr, which is no news here.
    ask.output().is_ok_and(|out| out.stdout == b"installed")
}

fn unpack(home: &Path, root: &Path) -> Result<()> {
    for entry in fs::read_dir(home)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "deb") {
            command::run(Command::new("dpkg").arg("-x").arg(&path).arg(root), "dpkg could not unpack a package")?;
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// `-Zbuild-std` looks for the source at `lib/rustlib/src/rust`.
fn link_source(root: &Path) -> Result<()> {
    let sources = root.join("usr/src");
    let found = fs::read_dir(&sources)?
        .flatten()
        .map(|e| e.path())
        .find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("rustc-")))
        .context("rust-web-src holds no source of rustc")?;
    let link = root.join("usr/lib/rustlib/src/rust");
    if let Some(dir) = link.parent() {
        fs::create_dir_all(dir)?;
    }
    if link.symlink_metadata().is_ok() {
        fs::remove_file(&link)?;
    }
    symlink(&found, &link).with_context(|| format!("cannot link {}", link.display()))
}

fn write_wrapper(cache: &Path, root: &Path) -> Result<PathBuf> {
    let compiler = find(&root.join("usr"), "rustc").context("rustc-web holds no rustc")?;
    let library_dirs: Vec<String> = [root.join("usr/lib"), root.join("usr/lib/x86_64-linux-gnu")]
        .into_iter()
        .chain(fs::read_dir(root.join("usr/lib"))?.flatten().map(|e| e.path()).filter(|p| p.is_dir()))
        .map(|p| p.display().to_string())
        .collect();
    let wrapper = wrapper_path(cache);
    let text = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}' --sysroot '{}' \"$@\"\n",
        library_dirs.join(":"),
        compiler.display(),
        root.join("usr").display()
    );
    fs::write(&wrapper, text)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    Ok(wrapper)
}

fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    let direct = dir.join("bin").join(name);
    if direct.exists() {
        return Some(direct);
    }
    let inner = fs::read_dir(dir.join("lib")).ok()?.flatten().map(|e| e.path().join("bin").join(name));
    inner.into_iter().find(|p| p.exists())
}

fn build_std(home: &Path, root: &Path, wrapper: &Path) -> Result<()> {
    command::step("building the standard library for WebAssembly, once");
    let empty = home.join("empty");
    fs::create_dir_all(empty.join("src"))?;
    let manifest = "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n\n\
                    [profile.release]\nopt-level = \"s\"\npanic = \"abort\"\n";
    fs::write(empty.join("Cargo.toml"), manifest)?;
    fs::write(empty.join("src/lib.rs"), "")?;
    let mut cargo = Command::new(workspace::cargo());
    cargo
        .args(["build", "--release", "-Zbuild-std=std,panic_abort", "--target", TARGET])
        .current_dir(&empty)
        .env("RUSTC", wrapper)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env("CARGO_TARGET_DIR", empty.join("target"))
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    command::run(&mut cargo, "Debian's compiler could not build its standard library")?;
    let into = root.join("usr/lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&into)?;
    let mut copied = 0;
    for entry in fs::read_dir(empty.join("target").join(TARGET).join("release/deps"))? {
        let path = entry?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("lib") && name.ends_with(".rlib") && !name.starts_with("libempty") {
            fs::copy(&path, into.join(&name))?;
            copied += 1;
        }
    }
    if copied == 0 {
        bail!("building the standard library gave no libraries");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_of_the_compiler_are_found_however_deep_they_are() {
        let closure = "rustc-web\n  Depends: libc6\n  Depends: libstd-rust-web-dev\n    libc6-dev\nlibc6\n  \
                       Depends: libgcc-s1\nlibstd-rust-web-dev\n  Depends: libstd-rust-web-1.96\n<libc-dev>\n\
                       libstd-rust-web-1.96\n  Depends: libllvm22\nlibllvm22\n";
        let found: Vec<_> = libraries(closure).collect();
        assert_eq!(found, ["libc6", "libstd-rust-web-dev", "libstd-rust-web-1.96", "libllvm22"]);
    }
}
