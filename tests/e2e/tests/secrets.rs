//! Secrets of the site in containers: files in memory for those that the site says, and nowhere else.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::World;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

const VALUE: &str = "s3cret-of-the-site-7f31";

fn site(dir: &Path, granted: &str, more: &str) -> Result<String> {
    let file = dir.join("db-password");
    fs::write(&file, format!("{VALUE}\n"))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    Ok(format!(
        r#"[storage]
driver = "overlay"
[[auth]]
pattern = "*"
plugin = "docker-config"
[network]
default = "none"
drivers = ["none"]
[secrets]
db = "{}"
[[lifecycle]]
plugin = "secrets"
fail = "closed"
[plugins.secrets.grant]
secret-files = [{granted}]
[[plugins.secrets.config.files]]
secret = "db"
at = "/run/secrets/db"
labels = {{ team = "db" }}
mode = "0440"
owner = [1000, 1001]
{more}
"#,
        file.display()
    ))
}

/// Files beneath a folder that hold the secret.
fn holders(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let (path, kind) = (entry.as_ref().map(fs::DirEntry::path), entry.as_ref().map(fs::DirEntry::file_type));
            let (Ok(path), Ok(Ok(kind))) = (path, kind) else { continue };
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && fs::read(&path)?.windows(VALUE.len()).any(|w| w == VALUE.as_bytes()) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

#[test]
fn a_container_that_the_site_says_reads_its_secret_and_nobody_else_has_it() -> Result<()> {
    let keep = tempfile::Builder::new().prefix("davit-e2e-").tempdir()?;
    let world = World::with_site(Some(&site(keep.path(), "\"db\"", "")?))?;
    world.pull()?;
    let show = "cat /run/secrets/db; echo; stat -c '%a %u %g' /run/secrets/db; stat -f -c %T /run/secrets/db; env";
    let shown = world.davit(&["run", "--name", "db", "--label", "team=db", "IMAGE", "sh", "-c", show])?.success()?;
    let lines: Vec<&str> = shown.stdout.lines().collect();
    ensure!(lines.first() == Some(&VALUE) && lines.get(1) == Some(&"440 1000 1001"), "{shown:?}");
    ensure!(lines.get(2) == Some(&"tmpfs"), "{shown:?}");
    ensure!(!lines.get(3..).unwrap_or_default().join("\n").contains(VALUE), "it is in the environment: {shown:?}");
    // Nobody may change what the site gave, root of the container neither.
    let write = "echo x > /run/secrets/db";
    ensure!(world.davit(&["run", "--rm", "--label", "team=db", "IMAGE", "sh", "-c", write])?.code != 0);

    let inspected = world.davit(&["inspect", "db"])?.success()?;
    ensure!(!inspected.stdout.contains(VALUE), "inspect shows it");
    // The container's own output is its own affair; nothing else on disk holds it.
    let held = holders(world.daemon.dir())?;
    let logs = held.iter().filter(|p| !p.to_string_lossy().contains("/containers/")).collect::<Vec<_>>();
    ensure!(logs.is_empty(), "the secret is in {logs:?}");

    let none = world.davit(&["run", "--rm", "IMAGE", "sh", "-c", "ls /run/secrets"])?;
    ensure!(none.code != 0 && !none.stdout.contains("db"), "without the label: {none:?}");

    // A changed secret is there at the next start.
    fs::write(keep.path().join("db-password"), "another\n")?;
    let again = world.davit(&["start", "-a", "db"])?.success()?;
    ensure!(again.stdout.starts_with("another\n"), "{again:?}");
    world.daemon.finish()
}

#[test]
fn a_secret_that_was_not_granted_or_is_not_there_is_refused_by_name() -> Result<()> {
    let keep = tempfile::Builder::new().prefix("davit-e2e-").tempdir()?;
    let world = World::with_site(Some(&site(keep.path(), "", "")?))?;
    world.pull()?;
    let refused = world.davit(&["run", "--rm", "--label", "team=db", "IMAGE", "true"])?;
    ensure!(refused.code == 125 && refused.stderr.contains("secret-files"), "{refused:?}");
    ensure!(refused.stderr.contains("plugin secrets@"), "{refused:?}");

    let site_file = world.daemon.site_file().context("a site file")?.to_owned();
    fs::write(&site_file, site(keep.path(), "\"db\"", "")?)?;
    world.davit(&["reload"])?.success()?;
    fs::remove_file(keep.path().join("db-password"))?;
    let gone = world.davit(&["run", "--rm", "--label", "team=db", "IMAGE", "true"])?;
    ensure!(gone.code == 125 && gone.stderr.contains("secret db") && gone.stderr.contains("db-password"), "{gone:?}");
    world.daemon.finish()
}

#[test]
fn two_plugins_on_one_field_are_a_conflict_unless_the_site_says_their_order() -> Result<()> {
    let keep = tempfile::Builder::new().prefix("davit-e2e-").tempdir()?;
    let other = r#"
[[plugins.secrets-too.config.files]]
secret = "db"
at = "/run/secrets/db"
mode = "0400"
[plugins.secrets-too]
source = "secrets"
[plugins.secrets-too.grant]
secret-files = ["db"]
"#;
    let twice = |after: &str| -> Result<String> {
        let chain = format!("[[lifecycle]]\nplugin = \"secrets-too\"\nfail = \"closed\"\n{after}\n");
        let site = site(keep.path(), "\"db\"", other)?;
        Ok(site.replace("[plugins.secrets.grant]", &format!("{chain}[plugins.secrets.grant]")))
    };
    let world = World::with_site(Some(&twice("")?))?;
    world.pull()?;
    let words = ["run", "--rm", "--label", "team=db", "IMAGE", "stat", "-c", "%a", "/run/secrets/db"];
    let refused = world.davit(&words)?;
    ensure!(refused.code == 125, "{refused:?}");
    ensure!(refused.stderr.contains("secrets and secrets-too") && refused.stderr.contains("after ="), "{refused:?}");

    let site_file = world.daemon.site_file().context("a site file")?.to_owned();
    fs::write(&site_file, twice("after = [\"secrets\"]")?)?;
    world.davit(&["reload"])?.success()?;
    ensure!(world.davit(&words)?.success()?.out() == "400");
    world.daemon.finish()
}
