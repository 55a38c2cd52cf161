//! `cargo xtask demo`: from nothing to a real image that runs, with a plugin of every kind on its way; then two lines of
//! the site's file are changed, and the same job runs with other plugins.

mod job;
mod site;

use crate::{build, command, enclosure, packages};
use anyhow::{Context as _, Result};
use davit_fixtures::{
    daemon::Daemon,
    image::{self, Config},
    leftovers,
    process::run as quietly,
    registry::Registry,
};
use job::Job;
pub(crate) use site::build_own_plugin as site_login;
use site::{Change, SiteFile};
use std::{ffi::OsString, fs, path::PathBuf};

/// For the demo's own use.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The component of the site's own login plugin; given where everything is built and namespaces are made.
    #[arg(long, hide = true)]
    inside: Option<PathBuf>,
    /// The same component where everything is built already, for a test that runs beside cargo and cannot wait for it.
    #[arg(long, hide = true)]
    built: Option<PathBuf>,
}

/// The registry's one user.
const USER: &str = "visitor";
const PASSWORD: &str = "not-a-secret";

pub(crate) fn run(options: &Options) -> Result<()> {
    if let Some(plugin) = &options.inside {
        return shown(plugin.clone());
    }
    let plugin = match &options.built {
        Some(plugin) => plugin.clone(),
        None => {
            packages::install(&[packages::DEMO])?;
            build::all()?;
            site_login()?
        }
    };
    let work = tempfile::Builder::new().prefix("davit-demo-").tempdir().context("cannot make a temporary folder")?;
    command::step("entering namespaces of the demo's own: processes, mounts, network");
    let words = ["demo", "--inside"].map(OsString::from).into_iter().chain([plugin.into_os_string()]);
    enclosure::run(&words.collect::<Vec<_>>(), work)
}

/// The steps that were done, said again at the end.
#[derive(Debug, Default)]
struct Done(Vec<String>);

impl Done {
    fn step(&mut self, text: String) {
        println!("  ok  {text}");
        self.0.push(text);
    }
}

fn shown(plugin: PathBuf) -> Result<()> {
    let mut done = Done::default();
    let dir = tempfile::Builder::new().prefix("registry-").tempdir()?;

    command::step("a real image, and a real registry that wants a login");
    let image = image::make(&dir.path().join("image"), &Config::default())?;
    done.step(format!("an image of two layers is made, {}", image.digest));
    let registry = Registry::start(dir.path(), Some((USER, PASSWORD)))?;
    let reference = format!("{}/demo/web:1", registry.host);
    anyhow::ensure!(image.push(&reference, None).is_err(), "the registry took a push without a login");
    image.push(&reference, Some((USER, PASSWORD)))?;
    done.step(format!("it is pushed to {reference}, which refuses who does not log in"));

    command::step("a daemon on roots of its own");
    let credentials = dir.path().join("site-credentials.json");
    site::write_credentials(&credentials, &registry.host, USER, PASSWORD)?;
    let site = SiteFile::new(&plugin, &credentials)?;
    let daemon = Daemon::with_site(Some(&site.text()))?;
    done.step(format!("davitd listens on {}", daemon.host()));

    let job = Job { daemon: &daemon, reference: &reference };
    command::step(&format!("the job, with {}", site.plugins()));
    job.log_in(&registry.host, USER, PASSWORD)?;
    done.step(format!("davit login: {USER} is logged in to {}", registry.host));
    job.run(&site, &mut done)?;

    command::step("two lines of the site's file are changed, and the file is reloaded");
    let site = site.changed();
    fs::write(daemon.site_file().context("the daemon has a site's file")?, site.text())?;
    for Change { before, after } in site::CHANGES {
        println!("    - {before}\n    + {after}");
    }
    command::run(daemon.davit().arg("reload"), "davitd refused the changed site's file")?;
    done.step(format!("davit reload: from now on {}", site.plugins()));

    command::step(&format!("the same job, with {}", site.plugins()));
    job.forget(&registry.host)?;
    done.step("davit rmi and logout: neither the image nor the user's own login is there any more".to_owned());
    job.run(&site, &mut done)?;

    command::step("nothing must be left");
    let tag = leftovers::tag(&daemon.data_root()).context("the daemon wrote no tag of its own")?;
    let tables = quietly(std::process::Command::new("nft").args(["list", "tables"]))?;
    daemon.finish()?;
    drop(registry);
    let tables = String::from_utf8_lossy(&tables.stdout).lines().filter(|l| l.contains(&tag)).count();
    done.step(format!(
        "the daemon has ended and its network is taken away ({tables} nft table): no mount, link, table, control group, \
         process or folder of {tag} is left"
    ));

    println!("\nDone:");
    for (number, step) in (1..).zip(&done.0) {
        println!("{number:>4}. {step}");
    }
    Ok(())
}
