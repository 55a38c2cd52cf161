//! What a plugin remembers goes with its version; and its life goes on whatever becomes of the process that it runs in.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::{
    Done, World,
    plugin::{embed, show},
    plugin_host,
};
use davit_fixtures::process::until;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    time::Duration,
};

/// The shipped plugin `quota` as a site's own `ledger`: two containers for everybody, counted in its state.
const SITE: &str = r#"[storage]
driver = "overlay"
[[auth]]
pattern = "*"
plugin = "docker-config"
[network]
default = "none"
drivers = ["none"]
"#;
const WITH_LEDGER: &str = r#"[[lifecycle]]
plugin = "ledger"
fail = "closed"
[plugins.ledger.config]
callers = { "*" = { containers = 2 } }
"#;

struct Site {
    world: World,
    dir: tempfile::TempDir,
}

impl Site {
    fn start() -> Result<Self> {
        let site = Self { world: World::with_site(Some(SITE))?, dir: tempfile::tempdir()? };
        site.world.pull()?;
        Ok(site)
    }

    /// A version of the plugin.
    fn version(&self, version: &str) -> Result<PathBuf> {
        let needs = "state = true\nadjust = [\"/labels/davit.quota\"]";
        let manifest = format!("[plugin]\nname = \"ledger\"\nversion = \"{version}\"\n[needs]\n{needs}\n");
        embed(&self.world.daemon, self.dir.path(), "quota", &manifest, &format!("ledger-{version}.wasm"))
    }

    fn davit(&self, words: &[&str]) -> Result<Done> {
        self.world.davit(words)
    }

    fn use_it(&self) -> Result<()> {
        let file = self.world.daemon.site_file().context("the site has a file")?;
        fs::write(file, format!("{SITE}{WITH_LEDGER}"))?;
        self.davit(&["reload"])?.success()?;
        Ok(())
    }

    /// What the plugin has written down, by key.
    fn state(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let path = self.world.daemon.data_root().join("davit.db");
        let db = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut query = db.prepare("SELECT key, value FROM plugin_state WHERE plugin = 'ledger' ORDER BY key")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[test]
fn a_rollback_brings_back_what_the_plugin_remembered_then() -> Result<()> {
    let site = Site::start()?;
    site.davit(&["plugin", "install", "--yes", show(&site.version("1.0")?)])?.success()?;
    site.use_it()?;
    let first = site.davit(&["create", "IMAGE", "true"])?.success()?;
    // The event that it was made is observed after the answer.
    until(Duration::from_secs(5), "the ledger has settled", || {
        let seen = site.state()?;
        std::thread::sleep(Duration::from_millis(300));
        Ok((!seen.is_empty() && site.state()? == seen).then_some(()))
    })?;
    let then = site.state()?;

    site.davit(&["plugin", "upgrade", "ledger", show(&site.version("2.0")?)])?.success()?;
    ensure!(site.state()? == then, "an upgrade keeps what was remembered");
    site.davit(&["create", "IMAGE", "true"])?.success()?;
    let third = site.davit(&["create", "IMAGE", "true"])?;
    ensure!(third.code == 1 && third.stderr.contains("plugin ledger@2.0"), "two are the limit: {third:?}");
    until(Duration::from_secs(5), "the new version remembers more", || Ok((site.state()? != then).then_some(())))?;

    site.davit(&["plugin", "rollback", "ledger"])?.success()?;
    let version = site.davit(&["plugin", "inspect", "-f", "{{.Version}}", "ledger"])?.success()?;
    ensure!(version.out() == "1.0", "{version:?}");
    ensure!(site.state()? == then, "the state is not that of the version: {:?}", site.state()?);
    // As it was then: one is counted, a second is let in.
    site.davit(&["create", "IMAGE", "true"])?.success()?;
    ensure!(!first.out().is_empty());
    let events = site.davit(&["plugin", "logs", "ledger"])?;
    ensure!(events.code == 0, "{events:?}");
    site.world.daemon.finish()
}

/// How often the plugin host is killed.
const KILLS: u32 = 12;

/// Does it again while the plugin host is killed under it; any other failure is one.
fn again(site: &Site, words: &[&str]) -> Result<()> {
    for _ in 0..50 {
        let done = site.davit(words)?;
        if done.code == 0 {
            return Ok(());
        }
        ensure!(!done.stderr.contains("panicked"), "{done:?}");
        let moment = ["unavailable", "plugin host", "rolled back"].iter().any(|said| done.stderr.contains(said));
        ensure!(moment, "{words:?}: {done:?}");
    }
    anyhow::bail!("{words:?} did not come through in fifty tries")
}

#[test]
fn the_plugin_host_may_be_killed_while_plugins_come_and_go() -> Result<()> {
    let site = Site::start()?;
    let (one, two) = (site.version("1.0")?, site.version("2.0")?);
    let (stop, kills) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| -> Result<()> {
        let killer = scope.spawn(|| {
            while !stop.load(Relaxed) {
                if let Some((pid, _)) = plugin_host(&site.world.daemon) {
                    kills.fetch_add(1, Relaxed);
                    // It may have ended meanwhile.
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
                std::thread::sleep(Duration::from_millis(60 + u64::from(kills.load(Relaxed) % 7) * 30));
            }
        });
        let lives = || -> Result<()> {
            // However quick the machine is, it is killed in the middle of some of them.
            for round in 0.. {
                if round >= 6 && kills.load(Relaxed) >= KILLS {
                    break;
                }
                ensure!(round < 200, "only {} kills in {round} rounds", kills.load(Relaxed));
                again(&site, &["plugin", "install", "--yes", show(&one)])?;
                // A version that the host died under is rolled back by itself: then it is brought again.
                again(&site, &["plugin", "upgrade", "ledger", show(&two)])?;
                again(&site, &["plugin", "rollback", "ledger"])?;
                again(&site, &["plugin", "rm", "ledger"])?;
            }
            Ok(())
        };
        let lived = lives();
        stop.store(true, Relaxed);
        killer.join().map_err(|_| anyhow::anyhow!("the killer panicked"))?;
        lived
    })?;
    let left = site.davit(&["plugin", "inspect", "ledger"])?;
    ensure!(left.code == 1 && left.stderr.contains("No such plugin"), "{left:?}");
    site.davit(&["plugin", "install", "--yes", show(&one)])?.success()?;
    site.use_it()?;
    site.davit(&["run", "--rm", "IMAGE", "true"])?.success()?;
    site.world.daemon.finish()
}
