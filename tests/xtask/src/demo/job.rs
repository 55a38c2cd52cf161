//! The main job, as a user would see it.

use super::{
    Done,
    site::{LABEL, NOTE, SiteFile},
};
use crate::command;
use anyhow::{Context as _, Result, bail, ensure};
use davit_fixtures::{
    daemon::Daemon,
    process::{free_port, run as quietly, until},
};
use std::{
    io::Write as _,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// The container's name.
const NAME: &str = "web";
/// From the command to the first answer: the pull is in it.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the job runs with.
#[derive(Debug)]
pub(super) struct Job<'a> {
    pub(super) daemon: &'a Daemon,
    pub(super) reference: &'a str,
}

impl Job<'_> {
    /// `davit login`, with a wrong password before.
    pub(super) fn log_in(&self, registry: &str, user: &str, password: &str) -> Result<()> {
        ensure!(!self.login(registry, user, "wrong")?, "davit login took a wrong password");
        ensure!(self.login(registry, user, password)?, "davit login refused the right password");
        Ok(())
    }

    fn login(&self, registry: &str, user: &str, password: &str) -> Result<bool> {
        let mut login = self.daemon.davit();
        login.args(["login", "--username", user, "--password-stdin", registry]).stdin(Stdio::piped());
        println!("    $ davit login --username {user} --password-stdin {registry}");
        let mut child = login.spawn().context("davit is not built: cargo xtask build")?;
        child.stdin.take().context("no standard input")?.write_all(password.as_bytes())?;
        Ok(child.wait()?.success())
    }

    /// `davit run`, an HTTP request, `davit inspect`, `davit stop`.
    pub(super) fn run(&self, site: &SiteFile, done: &mut Done) -> Result<()> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut davit = self.daemon.davit();
        davit.args(["run", "--rm", "--name", NAME, "-p", &format!("{address}:8080"), self.reference]);
        println!("    $ davit run --rm --name {NAME} -p {address}:8080 {}", self.reference);
        let mut running = Foreground(davit.stdin(Stdio::null()).spawn().context("davit cannot be started")?);
        let page = until(PATIENCE, &format!("http://{address} answers"), || {
            if let Some(status) = running.0.try_wait()? {
                bail!("davit run ended with {status} before it served; the daemon says:\n{}", self.daemon.log());
            }
            let answer = quietly(Command::new("curl").args(["-fsS", "-m", "5", &format!("http://{address}/")]));
            Ok(answer.ok().map(|a| String::from_utf8_lossy(&a.stdout).trim().to_owned()))
        })?;
        done.step(format!("davit run: pulled with the login, unpacked, started; {address} answers"));
        let said = format!("hello from davit{}", NOTE.1);
        ensure!(page == said, "the page is {page:?} and not {said:?}: the lifecycle plugin's {} is not there", NOTE.0);
        done.step(format!("the page reads {page:?}: its second half is the lifecycle plugin's"));
        let label = self.inspect(&format!("{{{{index .Config.Labels {:?}}}}}", LABEL.0))?;
        ensure!(label == LABEL.1, "the label {} is {label:?} and not {:?}", LABEL.0, LABEL.1);
        done.step(format!("davit inspect: the lifecycle plugin's label {} = {label:?}", LABEL.0));
        let driver = self.inspect("{{.GraphDriver.Name}}")?;
        ensure!(driver == site.storage(), "the storage driver is {driver:?} and not {:?}", site.storage());
        let ip = self.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")?;
        ensure!(ip.starts_with("172.30."), "the address {ip:?} is not from the site's pool");
        done.step(format!("davit inspect: layers by {driver}, address {ip} by the network plugin"));
        command::run(self.daemon.davit().args(["stop", NAME]), "davit could not stop the container")?;
        let status = running.0.wait()?;
        ensure!(status.success(), "davit run ended with {status} after a stop that the image answers with 0");
        let left = quietly(self.daemon.davit().args(["ps", "-aq"]))?;
        ensure!(left.stdout.is_empty(), "--rm left a container: {}", String::from_utf8_lossy(&left.stdout));
        done.step("davit stop: the container ended with 0 and removed itself".to_owned());
        Ok(())
    }

    /// Removes the image and the user's login, and sees that the registry is needed again.
    pub(super) fn forget(&self, registry: &str) -> Result<()> {
        command::run(self.daemon.davit().args(["rmi", self.reference]), "davit could not remove the image")?;
        command::run(self.daemon.davit().args(["logout", registry]), "davit could not log out")
    }

    fn inspect(&self, format: &str) -> Result<String> {
        let answer = quietly(self.daemon.davit().args(["inspect", "-f", format, NAME]))?;
        Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned())
    }
}

/// A client in the foreground; ended where the demo ends before it.
struct Foreground(Child);

impl Drop for Foreground {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
