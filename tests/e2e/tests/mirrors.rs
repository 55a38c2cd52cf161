//! Mirrors on the whole road: what the site's file names serves, and what does not answer is not waited for.

use anyhow::{Result, ensure};
use davit_e2e::davit;
use davit_fixtures::{
    daemon::Daemon,
    image::{self, Config},
    process::free_port,
    registry::Registry,
};

/// A site that logs in as usual, and whose registry at `host` has these mirrors, which keep its images beneath `hub`.
fn site(host: &str, mirrors: &[&str]) -> String {
    let origins: Vec<String> = mirrors.iter().map(|mirror| format!("\"http://{mirror}\"")).collect();
    let origins = origins.join(", ");
    format!(
        r#"[storage]
driver = "overlay"

[[auth]]
pattern = "*"
plugin = "docker-config"
resolver = "mirror"

[plugins.mirror.config]
rules = [{{ pattern = "{host}", mirrors = [{origins}], prefix = "hub" }}]

[plugins.mirror.grant]
mirrors = [{origins}]
http = [{origins}]
state = true

[network]
default = "none"
drivers = ["none"]
"#
    )
}

#[test]
fn a_mirror_serves_under_the_registry_s_name_and_the_registry_what_its_mirror_lacks() -> Result<()> {
    let dirs = [tempfile::tempdir()?, tempfile::tempdir()?];
    let (registry, mirror) = (Registry::start(dirs[0].path(), None)?, Registry::start(dirs[1].path(), None)?);
    let [both, alone] = ["both", "alone"].map(|name| format!("{}/team/{name}:1", registry.host));
    image::make(&dirs[0].path().join("alone"), &Config::shell())?.push(&alone, None)?;
    // Only the mirror has it, so that it is plain who served.
    image::make(&dirs[1].path().join("both"), &Config::shell())?
        .push(&format!("{}/hub/team/both:1", mirror.host), None)?;

    let nobody = format!("127.0.0.1:{}", free_port()?);
    let daemon = Daemon::with_site(Some(&site(&registry.host, &[&nobody, &mirror.host])))?;
    davit(&daemon, &["pull", "-q", &both])?.success()?;
    ensure!(davit(&daemon, &["run", "--rm", &both, "echo", "in"])?.success()?.out() == "in");
    davit(&daemon, &["pull", "-q", &alone])?.success()?;
    let named = davit(&daemon, &["images", "--format", "{{.Repository}}"])?.success()?;
    ensure!(!named.stdout.contains("hub/"), "an image bears its own name: {named:?}");
    let said = davit(&daemon, &["plugin", "logs", "mirror"])?.success()?;
    ensure!(said.stdout.matches(&format!("http://{nobody} does not answer")).count() == 1, "{said:?}");
    daemon.finish()
}

#[test]
fn a_registry_that_is_down_is_not_missed_while_its_mirror_serves() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mirror = Registry::start(dir.path(), None)?;
    let down = format!("127.0.0.1:{}", free_port()?);
    image::make(&dir.path().join("app"), &Config::shell())?.push(&format!("{}/hub/team/app:1", mirror.host), None)?;
    let daemon = Daemon::with_site(Some(&site(&down, &[&mirror.host])))?;
    davit(&daemon, &["pull", "-q", &format!("{down}/team/app:1")])?.success()?;
    let missing = davit(&daemon, &["pull", "-q", &format!("{down}/team/missing:1")])?;
    ensure!(missing.code == 1 && missing.stderr.contains(&down), "{missing:?}");
    daemon.finish()
}
