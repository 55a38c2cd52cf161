//! From a record to a process that waits for leave, through the launcher; and from a run whose monitor is known, or was
//! killed, to one that this daemon follows.

use crate::{
    Engine, EngineError, Kind,
    container::Container,
    images::store_error,
    networks::Endpoint,
    record::ContainerRecord,
    spec::{self, capabilities},
    streams::Terminal,
    supervise::{AsyncReports, Following, Live},
};
use davit_model::container::SecretFile;
use davit_network::Netns;
use davit_runtime::{
    failure::Failure,
    launcher::client::{AdoptRequest, Control, Launcher, StartRequest},
    record::{ExitRecord, InitRecord},
    report::{Answer, Ask, Report, Reports},
    seccomp,
    spec::{LaunchSpec, RootSource, SecretContent, Streams},
};
use davit_sys::fault::point;
use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long a process may take to prepare itself: a root of many layers on a slow disk.
const PREPARE_DEADLINE: Duration = Duration::from_secs(60);
/// How long a monitor may take to answer.
const MONITOR_DEADLINE: Duration = Duration::from_secs(5);

/// The launcher of this daemon, started when it is first needed and again when it was killed.
#[derive(Debug)]
pub(crate) struct LauncherSlot {
    binary: PathBuf,
    current: Mutex<Option<Launcher>>,
}

impl LauncherSlot {
    pub(crate) fn new(binary: PathBuf) -> Self {
        Self { binary, current: Mutex::new(None) }
    }

    /// Asks a launcher that lives. Blocks for a moment.
    pub(crate) fn ask<T>(&self, ask: impl Fn(&Launcher) -> io::Result<T>) -> Result<T, EngineError> {
        let failed = |e: io::Error| EngineError::internal(&format!("launching with {}", self.binary.display()), e);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(launcher) = current.as_mut()
            && launcher.is_alive()
        {
            match ask(launcher) {
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
                other => return other.map_err(failed),
            }
        }
        let launcher = current.insert(Launcher::spawn(&self.binary).map_err(failed)?);
        ask(launcher).map_err(failed)
    }

    /// Lets the launcher go: it ends when the last container that it watches has.
    pub(crate) fn close(&self) {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// A process that has prepared itself and waits.
#[derive(Debug)]
pub(crate) struct Launched {
    pid: i32,
    init: OwnedFd,
    reports: AsyncReports,
    terminal: Option<Arc<Terminal>>,
    run_dir: PathBuf,
    open_stdin: bool,
}

/// A process that runs.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) pid: u32,
    pub(crate) live: Live,
    pub(crate) following: Following,
}

impl Launched {
    /// Leave to run; answers when the program has begun.
    pub(crate) async fn go(self) -> Result<Started, EngineError> {
        self.reports.go()?;
        match tokio::time::timeout(PREPARE_DEADLINE, self.reports.next()).await {
            Ok(Ok(Some((Report::Running, _)))) => {}
            Ok(Ok(Some((Report::Failed(failure), _)))) => return Err(start_error(&failure)),
            Ok(Ok(other)) => return Err(unexpected(other.map(|(r, _)| r))),
            Ok(Err(e)) => return Err(e),
            Err(_) => return Err(EngineError::internal("starting the program", "it did not begin in time")),
        }
        let pid = u32::try_from(self.pid).map_err(|e| EngineError::internal("starting the program", e))?;
        let live = Live::new(self.init, self.run_dir, self.terminal, self.open_stdin)?;
        Ok(Started { pid, live, following: Following::Reports(self.reports) })
    }

    /// It shall not run after all.
    pub(crate) async fn abandon(self) {
        let killed = rustix::process::pidfd_send_signal(&self.init, rustix::process::Signal::KILL);
        if killed.is_ok() {
            // The monitor reports the end and closes.
            let end = async { while let Ok(Some(_)) = self.reports.next().await {} };
            let _ = tokio::time::timeout(MONITOR_DEADLINE, end).await;
        }
    }
}

impl Engine {
    /// Launches the container's process; it waits for [`Launched::go`].
    pub(crate) async fn launch(
        &self,
        container: &Arc<Container>,
        record: &ContainerRecord,
        endpoint: &Endpoint,
        namespace: Option<Arc<Netns>>,
    ) -> Result<Launched, EngineError> {
        let root = self.inner.store.root(&record.id).await.map_err(store_error)?;
        let root = root.ok_or_else(|| EngineError::internal("starting a container", "its root is gone"))?;
        let files = self.inner.container_dir(&record.id);
        let launch = LaunchSpec {
            oci: spec::runtime_spec(record, &files, &endpoint.record.plan)?,
            root: RootSource::Area(root.plan.mount.clone()),
            overlay_tier: None,
            secrets: self.secrets(record).await?,
            user: Some(if record.process.user.is_empty() { "0".to_owned() } else { record.process.user.clone() }),
            groups: record.spec.groups.clone(),
            streams: if record.spec.tty {
                Streams::Terminal { rows: 0, cols: 0 }
            } else {
                Streams::Fifos { stdin: record.spec.open_stdin }
            },
        };
        let (engine, id, record) = (self.clone(), container.id.clone(), record.clone());
        let ask = move || {
            let inner = &engine.inner;
            let run_dir = inner.run_dir(&id);
            crate::engine::make_dir(&run_dir, 0o700)?;
            point("run.folder");
            let dir = open_dir(&run_dir)?;
            let log = open_log(&inner.log_path(&id))?;
            let filter = engine.filter(&record)?;
            let resources = launch.oci.linux().as_ref().and_then(|l| l.resources().clone()).unwrap_or_default();
            let group = inner.cgroups.create(&inner.cgroup_path(&id), &resources).map_err(cgroup_error)?;
            point("run.group");
            let joins = group.joins().map_err(cgroup_error)?;
            let reports = inner.launcher.ask(|launcher| {
                launcher.start(&StartRequest {
                    spec: &launch,
                    run_dir: dir.as_fd(),
                    log: log.as_fd(),
                    area: Some(root.area.fd()),
                    netns: namespace.as_ref().map(|n| n.as_fd()),
                    cgroup: Some(&joins),
                    seccomp: filter.as_ref(),
                })
            })?;
            point("run.launched");
            Ok::<_, EngineError>((reports, run_dir, record.spec.open_stdin))
        };
        let asked = tokio::task::spawn_blocking(ask).await;
        let (reports, run_dir, open_stdin) = asked.map_err(|e| EngineError::internal("launching", e))??;
        let prepared =
            tokio::time::timeout(PREPARE_DEADLINE, prepared(AsyncReports::new(reports)?, run_dir, open_stdin));
        prepared.await.map_err(|_| EngineError::internal("launching", "the process did not prepare itself in time"))?
    }

    /// The secrets that lifecycle policy gave the container, read anew.
    async fn secrets(&self, record: &ContainerRecord) -> Result<Vec<SecretContent>, EngineError> {
        let site = self.inner.policy().site.clone();
        let mut secrets = Vec::new();
        for (at, file) in &record.spec.secret_files {
            let SecretFile { secret, mode, uid, gid } = file.clone();
            let content = self.inner.loader.secret(&site, &secret).await?;
            secrets.push(SecretContent { at: at.into(), content, mode, uid, gid });
        }
        Ok(secrets)
    }

    /// The compiled seccomp filter; none where the request wants none.
    pub(crate) fn filter(&self, record: &ContainerRecord) -> Result<Option<seccomp::Program>, EngineError> {
        let security = spec::security(&record.spec)?;
        if record.spec.privileged || security.seccomp_unconfined {
            return Ok(None);
        }
        let caps: BTreeSet<String> = capabilities::wanted(&record.spec)?.iter().map(capabilities::name).collect();
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let kernel = seccomp::profile::kernel_version(&release).unwrap_or((5, 10));
        let facts = seccomp::Facts { caps: &caps, kernel };
        let invalid = |e: seccomp::SeccompError| EngineError::invalid(format!("seccomp: {e}"));
        let profile = match &security.seccomp_profile {
            Some(json) => seccomp::parse_profile(json, &facts).map_err(invalid)?,
            None => Some(seccomp::default_profile(&facts).map_err(invalid)?),
        };
        let Some(profile) = profile else { return Ok(None) };
        self.inner.filters.program(&profile).map(Some).map_err(invalid)
    }

    /// Follows a run that an earlier daemon started; false: it is over.
    pub(crate) async fn resume(&self, container: &Arc<Container>) -> Result<bool, EngineError> {
        if self.exit_record(container).await?.is_some() {
            return Ok(false);
        }
        let (tty, open_stdin) = container.read(|r| (r.spec.tty, r.spec.open_stdin));
        let run_dir = self.inner.run_dir(&container.id);
        let (dir, slot) = (run_dir.clone(), self.clone());
        let log = self.inner.log_path(&container.id);
        let look = move || -> Result<_, EngineError> {
            let Ok(fd) = open_dir(&dir) else { return Ok(None) };
            let failed = |e| EngineError::internal("looking at a run", e);
            let Some(record) = InitRecord::read(fd.as_fd()).map_err(failed)? else { return Ok(None) };
            let Some(init) = record.open().map_err(failed)? else { return Ok(None) };
            let terminal = if tty { ask_in(&fd, Ask::GetTty).ok().and_then(|(_, fd)| fd) } else { None };
            match Control::connect(fd.as_fd()) {
                Ok(control) => Ok(Some((init, terminal, Followed::Control(control)))),
                Err(_) => {
                    let reports = slot.ask_adopt(&fd, &log, record, None)?;
                    Ok(reports.map(|reports| (init, terminal, Followed::Reports(reports))))
                }
            }
        };
        let looked = tokio::task::spawn_blocking(look).await;
        let Some((init, terminal, followed)) = looked.map_err(|e| EngineError::internal("looking at a run", e))??
        else {
            return Ok(false);
        };
        let terminal = terminal.map(Terminal::new).transpose();
        let terminal = terminal.map_err(|e| EngineError::internal("taking over a terminal", e))?.map(Arc::new);
        let live = Live::new(init, run_dir, terminal, open_stdin)?;
        let pid = container.read(|r| r.state.pid);
        let following = match followed {
            Followed::Reports(reports) => Following::Reports(AsyncReports::new(reports)?),
            Followed::Control(control) => Following::control(control)?,
        };
        self.supervise(container, Started { pid, live, following });
        Ok(true)
    }

    /// Another monitor for a run whose own was killed.
    pub(crate) async fn adopt(&self, container: &Arc<Container>, live: &Live) -> Result<Following, EngineError> {
        let (engine, log) = (self.clone(), self.inner.log_path(&container.id));
        let run_dir = self.inner.run_dir(&container.id);
        let terminal = live.terminal_copy()?;
        let ask = move || {
            let dir = open_dir(&run_dir)?;
            let record = InitRecord::read(dir.as_fd()).map_err(|e| EngineError::internal("looking at a run", e))?;
            let record = record.ok_or_else(|| EngineError::internal("looking at a run", "it has no process"))?;
            engine.ask_adopt(&dir, &log, record, terminal.as_ref())
        };
        let asked = tokio::task::spawn_blocking(ask).await;
        let reports = asked.map_err(|e| EngineError::internal("adopting a run", e))??;
        let reports = reports.ok_or_else(|| EngineError::internal("adopting a run", "its process has ended"))?;
        Ok(Following::Reports(AsyncReports::new(reports)?))
    }

    fn ask_adopt(
        &self,
        dir: &OwnedFd,
        log: &Path,
        init: InitRecord,
        terminal: Option<&OwnedFd>,
    ) -> Result<Option<Reports>, EngineError> {
        let log = open_log(log)?;
        self.inner.launcher.ask(|launcher| {
            let terminal = terminal.map(|t| t.as_fd());
            launcher.adopt(&AdoptRequest { run_dir: dir.as_fd(), log: log.as_fd(), init, terminal })
        })
    }

    /// How the run ended, where its monitor or launcher wrote it down.
    pub(crate) async fn exit_record(&self, container: &Container) -> Result<Option<ExitRecord>, EngineError> {
        let run_dir = self.inner.run_dir(&container.id);
        let read = move || match open_dir(&run_dir) {
            Ok(dir) => ExitRecord::read(dir.as_fd()).map_err(|e| EngineError::internal("reading an exit record", e)),
            Err(_) => Ok(None),
        };
        tokio::task::spawn_blocking(read).await.map_err(|e| EngineError::internal("reading an exit record", e))?
    }
}

enum Followed {
    Control(Control),
    Reports(Reports),
}

/// Reads reports until the process waits for leave.
async fn prepared(reports: AsyncReports, run_dir: PathBuf, open_stdin: bool) -> Result<Launched, EngineError> {
    let (mut pid, mut terminal) = (None, None);
    loop {
        match reports.next().await? {
            Some((Report::Created { pid: created }, _)) => pid = Some(created),
            Some((Report::Terminal, Some(master))) => {
                let taken = Terminal::new(master).map_err(|e| EngineError::internal("taking over a terminal", e))?;
                terminal = Some(Arc::new(taken));
            }
            Some((Report::Ready, _)) => break,
            Some((Report::Failed(failure), _)) => return Err(start_error(&failure)),
            other => return Err(unexpected(other.map(|(r, _)| r))),
        }
    }
    let pid = pid.ok_or_else(|| unexpected(None))?;
    let init = rustix::process::Pid::from_raw(pid).ok_or_else(|| unexpected(None)).and_then(|p| {
        rustix::process::pidfd_open(p, rustix::process::PidfdFlags::empty())
            .map_err(|e| EngineError::internal("opening the container's process", e))
    })?;
    Ok(Launched { pid, init, reports, terminal, run_dir, open_stdin })
}

/// A failed start in words, with the exit status that belongs to it.
pub(crate) fn start_error(failure: &Failure) -> EngineError {
    let kind = match failure.exit_code() {
        126 | 127 => Kind::Invalid,
        _ => Kind::Internal,
    };
    EngineError::new(kind, failure.to_string()).with_exit_code(failure.exit_code().into())
}

fn unexpected(report: Option<Report>) -> EngineError {
    let what = report.map_or_else(|| "its monitor ended".to_owned(), |r| format!("its monitor said {r:?}"));
    EngineError::internal("starting a container", what)
}

pub(crate) fn cgroup_error(e: davit_runtime::cgroup::CgroupError) -> EngineError {
    use davit_runtime::cgroup::CgroupError as E;
    let kind = match &e {
        E::NoController { .. } | E::Invalid(_) => Kind::Invalid,
        _ => Kind::Internal,
    };
    let source = std::error::Error::source(&e).map(|s| format!(": {s}")).unwrap_or_default();
    EngineError::new(kind, format!("{e}{source}"))
}

pub(crate) fn open_dir(path: &Path) -> Result<OwnedFd, EngineError> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
        .map_err(|e| EngineError::internal(&format!("opening {}", path.display()), e))
}

fn open_log(path: &Path) -> Result<File, EngineError> {
    let opened = OpenOptions::new().read(true).append(true).create(true).open(path);
    opened.map_err(|e| EngineError::internal(&format!("opening {}", path.display()), e))
}

/// Asks the monitor of a run, by its folder.
pub(crate) fn ask(run_dir: &Path, ask: Ask) -> Result<(), EngineError> {
    let dir = open_dir(run_dir)?;
    match ask_in(&dir, ask) {
        Ok((Answer::Error(why), _)) => Err(EngineError::internal("asking a monitor", why)),
        Ok(_) => Ok(()),
        Err(e) => Err(EngineError::internal("asking a monitor", e)),
    }
}

fn ask_in(dir: &OwnedFd, ask: Ask) -> io::Result<(Answer, Option<OwnedFd>)> {
    Control::connect(dir.as_fd())?.ask(ask, MONITOR_DEADLINE)
}
