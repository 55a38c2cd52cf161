//! The real road: the four templates of a language are a site's whole policy. An image is pulled with a login that one of
//! them answers for, unpacked where another says, its containers are labelled by a third and reached over the fourth's
//! network.

use crate::workshop::{Templates, name};
use anyhow::{Context as _, Result, ensure};
use davit_e2e::{davit, davit_with_input, http_get};
use davit_fixtures::{
    daemon::Daemon,
    image::{self, Config},
    process::until,
    registry::Registry,
};
use sha2::{Digest as _, Sha256};
use std::{fmt::Write as _, fs, path::Path, time::Duration};

const LOGIN: (&str, &str) = ("author", "of-templates");

/// What the file of such a site says.
fn site(templates: &Templates) -> Result<String> {
    let mut site = String::from(
        "[storage]\ndriver = \"sample-storage\"\n\
         [network]\ndefault = \"sample-network\"\ndrivers = [\"sample-network\"]\n\
         [[auth]]\npattern = \"*\"\nplugin = \"sample-registry-auth\"\n\
         [[lifecycle]]\nplugin = \"sample-lifecycle\"\nfail = \"closed\"\n\
         [plugins.sample-lifecycle.config]\nteam = \"web\"\nrefuse = [\"docker.io/\"]\n",
    );
    for (kind, template) in templates {
        let component = fs::read(&template.component).with_context(|| template.component.display().to_string())?;
        let digest: String = Sha256::digest(component).iter().map(|byte| format!("{byte:02x}")).collect();
        let (name, source) = (name(kind), template.component.display());
        write!(site, "[plugins.{name}]\nsource = \"{source}\"\n")?;
        let grant = match *kind {
            "registry-auth" => "http = [\"realm\"]\n",
            "lifecycle" => "adjust = [\"/labels/team\"]\n",
            _ => continue,
        };
        write!(site, "[plugins.{name}.grant]\ndigest = \"sha256:{digest}\"\n{grant}")?;
    }
    Ok(site)
}

/// Runs containers under the policy of these templates, which were compiled already, into `forms`.
pub(crate) fn walk(templates: &Templates, forms: &Path) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("davit-e2e-").tempdir()?;
    let registry = Registry::start(dir.path(), Some(LOGIN))?;
    let web = format!("{}/test/web:1", registry.host);
    image::make(&dir.path().join("web"), &Config::default())?.push(&web, Some(LOGIN))?;
    let daemon = Daemon::with_forms(&site(templates)?, forms)?;

    // Registry authentication: denied without a login, in the template's words; answered with one.
    let denied = davit(&daemon, &["pull", "-q", &web])?;
    ensure!(denied.code == 1 && denied.stderr.contains("plugin sample-registry-auth@0.1.0"), "{denied:?}");
    let (user, password) = LOGIN;
    let login = ["login", "--username", user, "--password-stdin", registry.host.as_str()];
    davit_with_input(&daemon, &login, password.as_bytes())?.success()?;
    davit(&daemon, &["pull", "-q", &web])?.success()?;

    // Lifecycle: one is refused, the others are labelled.
    let refused = davit(&daemon, &["pull", "-q", "docker.io/library/busybox"])?;
    ensure!(
        refused.code == 1 && refused.stderr.contains("plugin sample-lifecycle@0.1.0, admit: denied"),
        "{refused:?}"
    );
    davit(&daemon, &["run", "-d", "--name", "web", "-p", "127.0.0.1::8080", &web])?.success()?;
    let label = davit(&daemon, &["inspect", "--format", "{{.Config.Labels.team}}", "web"])?.success()?;
    ensure!(label.out() == "web", "{label:?}");

    // Storage and network: it serves what is in its image, from its own address and from the host's.
    ensure!(davit(&daemon, &["info", "--format", "{{.Driver}}"])?.success()?.out() == "sample-storage");
    let port = davit(&daemon, &["port", "web", "8080"])?.success()?;
    let port = port.out().lines().next().context("the published port")?.to_owned();
    until(Duration::from_secs(10), "the container answers", || Ok(http_get(&port)))?;

    davit(&daemon, &["rm", "-f", "web"])?.success()?;
    davit(&daemon, &["rmi", &web])?.success()?;
    daemon.finish()
}
