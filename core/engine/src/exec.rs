//! `exec`: another process in a running container. Its streams are pipes that this daemon holds, or a terminal.

use crate::{
    Attached, Engine, EngineError, Kind,
    container::Container,
    create::event_attributes,
    engine::{hex, random},
    launch::{cgroup_error, open_dir, start_error},
    logs::Output,
    spec::capabilities,
    streams::{Stdin, Terminal, pipe, relay, relay_terminal, sender},
    supervise::AsyncReports,
};
use davit_model::{
    container::ContainerSpec,
    id::{Caller, ContainerId},
};
use davit_runtime::{ExecSpec, launcher::client::ExecRequest, record::InitRecord, report::Report};
use oci_spec::runtime as oci;
use std::{
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;

/// How long the process may take to begin.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// How long output may still come after the end: from children that hold the pipe.
const DRAIN: Duration = Duration::from_millis(250);
/// How many pieces of output wait for the client before the process has to.
const PIECES: usize = 16;
/// How many ended sessions of a container are kept for `inspect`.
const KEPT: usize = 64;

/// What is to be run.
#[derive(Clone, Debug, Default)]
pub struct ExecOptions {
    /// Program and arguments.
    pub cmd: Vec<String>,
    /// A terminal.
    pub tty: bool,
    /// Standard input is attached.
    pub stdin: bool,
    /// Standard output is attached.
    pub stdout: bool,
    /// Standard error is attached.
    pub stderr: bool,
    /// Added to the container's environment, `NAME=value`.
    pub env: Vec<String>,
    /// Working directory; none: the container's.
    pub cwd: Option<String>,
    /// User; none: the container's.
    pub user: Option<String>,
    /// With all capabilities.
    pub privileged: bool,
    /// Keys that detach, as the client wrote them; for `inspect`.
    pub detach_keys: Option<String>,
}

/// An exec session, for `inspect`.
#[derive(Clone, Debug)]
pub struct ExecDetails {
    /// Its id, 64 hex digits.
    pub id: String,
    /// The container's id.
    pub container: String,
    /// Whether the process runs.
    pub running: bool,
    /// Its exit status, once it has ended.
    pub exit_code: Option<i64>,
    /// Its process id on the host; 0 before the start.
    pub pid: u32,
    /// What was asked.
    pub options: ExecOptions,
}

/// A session. It is its container's, and knows it by id only: with the container it is gone.
#[derive(Debug)]
pub(crate) struct Exec {
    pub(crate) id: String,
    container: ContainerId,
    pub(crate) options: ExecOptions,
    state: Mutex<State>,
    stdin: tokio::sync::Mutex<Stdin>,
}

#[derive(Debug, Default)]
struct State {
    begun: bool,
    pid: u32,
    exit_code: Option<i64>,
    terminal: Option<Arc<Terminal>>,
}

/// What a started session is on this daemon's side.
struct Ours {
    reports: AsyncReports,
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl Exec {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn running(&self) -> bool {
        let state = self.state();
        state.pid != 0 && state.exit_code.is_none()
    }

    fn over(&self) -> bool {
        self.state().exit_code.is_some()
    }

    pub(crate) async fn write_stdin(&self, bytes: &[u8]) -> Result<(), EngineError> {
        self.stdin.lock().await.write(bytes).await
    }

    pub(crate) async fn close_stdin(&self) -> Result<(), EngineError> {
        self.stdin.lock().await.close();
        Ok(())
    }
}

impl Engine {
    /// Prepares a session; nothing runs yet.
    pub async fn exec_create(
        &self,
        caller: &Caller,
        container: &str,
        options: ExecOptions,
    ) -> Result<String, EngineError> {
        let container = self.inner.containers.find(container)?;
        let mut operation = crate::lifecycle::container_operation("exec.create", caller, &container.record())?;
        operation.privileged = options.privileged;
        self.admit(&operation).await?;
        if options.cmd.first().is_none_or(String::is_empty) {
            return Err(EngineError::invalid("No exec command specified"));
        }
        match container.read(|r| r.state.status) {
            crate::record::Status::Running => {}
            crate::record::Status::Paused => {
                let why = format!("Container {} is paused, unpause the container before exec", container.id);
                return Err(EngineError::conflict(why));
            }
            _ => return Err(EngineError::conflict(format!("container {} is not running", container.id))),
        }
        let id = hex(&random()?);
        container.forget_execs(KEPT, |e| e.over());
        container.add_exec(Arc::new(Exec {
            id: id.clone(),
            container: container.id.clone(),
            options,
            state: Mutex::default(),
            stdin: tokio::sync::Mutex::new(Stdin::Closed),
        }));
        let attributes = event_attributes(&container.record());
        self.publish("container.exec_create", container.id.as_str(), attributes);
        Ok(id)
    }

    fn find_exec(&self, id: &str) -> Result<(Arc<Container>, Arc<Exec>), EngineError> {
        let all = self.inner.containers.all();
        let found = all.into_iter().find_map(|c| c.exec(id).map(|exec| (c, exec)));
        found.ok_or_else(|| EngineError::not_found(format!("No such exec instance: {id}")))
    }

    /// Starts a session; with `attach` its streams.
    pub async fn exec_start(&self, id: &str, attach: bool) -> Result<Option<Attached>, EngineError> {
        let (container, exec) = self.find_exec(id)?;
        if std::mem::replace(&mut exec.state().begun, true) {
            return Err(EngineError::conflict(format!("Error: Exec command {id} is already running")));
        }
        let begun = self.begin_exec(&container, &exec).await;
        let (ours, terminal) = match begun {
            Ok(begun) => begun,
            Err(e) => {
                exec.state().exit_code = Some(e.exit_code().unwrap_or(126));
                return Err(e);
            }
        };
        *exec.stdin.lock().await = match (&terminal, ours.stdin) {
            (Some(terminal), _) => Stdin::Terminal(terminal.clone()),
            (None, Some(pipe)) => Stdin::Pipe(sender(pipe)?),
            (None, None) => Stdin::Closed,
        };
        exec.state().terminal.clone_from(&terminal);
        let (output, pieces) = mpsc::channel(PIECES);
        // What nobody wants goes where nobody listens.
        let sink = |wanted: bool| if wanted && attach { output.clone() } else { mpsc::channel(1).0 };
        let mut relays = tokio::task::JoinSet::new();
        if let Some(terminal) = terminal {
            relays.spawn(relay_terminal(terminal, sink(true)));
        }
        for (pipe, stream, wanted) in [(ours.stdout, 1, exec.options.stdout), (ours.stderr, 2, exec.options.stderr)] {
            if let Some(pipe) = pipe {
                relays.spawn(relay(pipe, stream, sink(wanted)));
            }
        }
        let attributes = event_attributes(&container.record());
        self.publish("container.exec_start", container.id.as_str(), attributes);
        self.inner.tasks.spawn(follow(self.clone(), container, exec.clone(), ours.reports, relays, output));
        Ok(attach.then(|| Attached::of_exec(&exec, pieces)))
    }

    async fn begin_exec(
        &self,
        container: &Arc<Container>,
        exec: &Exec,
    ) -> Result<(Ours, Option<Arc<Terminal>>), EngineError> {
        let record = container.record();
        let options = exec.options.clone();
        let container = container.clone();
        let engine = self.clone();
        let ask = move || {
            let inner = &engine.inner;
            let dir = open_dir(&inner.run_dir(&container.id))?;
            let gone = || EngineError::conflict(format!("container {} is not running", container.id));
            let failed = |e| EngineError::internal("looking at a run", e);
            let init = InitRecord::read(dir.as_fd()).map_err(failed)?.ok_or_else(gone)?;
            let target = init.open().map_err(failed)?.ok_or_else(gone)?;
            let joins = inner.cgroups.open(&inner.cgroup_path(&container.id)).and_then(|g| g.joins());
            let joins = joins.map_err(cgroup_error)?;
            let mut for_filter = record.clone();
            for_filter.spec.privileged |= options.privileged;
            let filter = engine.filter(&for_filter)?;
            let spec = exec_spec(&record.spec, &record.process, &options)?;
            let (mut ours, mut theirs) = ((None, None, None), None);
            if !options.tty {
                let null = || std::fs::File::open("/dev/null").map(OwnedFd::from);
                let (out_ours, out) = pipe()?;
                let (err_ours, err) = pipe()?;
                let input = if options.stdin {
                    let (input, in_ours) = pipe()?;
                    ours.0 = Some(in_ours);
                    input
                } else {
                    null().map_err(|e| EngineError::internal("opening /dev/null", e))?
                };
                (ours.1, ours.2) = (Some(out_ours), Some(err_ours));
                theirs = Some([input, out, err]);
            }
            let reports = inner.launcher.ask(|launcher| {
                launcher.exec(&ExecRequest {
                    spec: &spec,
                    target: target.as_fd(),
                    stdio: theirs.as_ref().map(|t| [t[0].as_fd(), t[1].as_fd(), t[2].as_fd()]),
                    cgroup: Some(&joins),
                    seccomp: filter.as_ref(),
                })
            })?;
            Ok::<_, EngineError>((reports, ours))
        };
        let asked = tokio::task::spawn_blocking(ask).await;
        let (reports, (stdin, stdout, stderr)) = asked.map_err(|e| EngineError::internal("starting an exec", e))??;
        let ours = Ours { reports: AsyncReports::new(reports)?, stdin, stdout, stderr };
        let begun = tokio::time::timeout(START_DEADLINE, begun(exec, &ours.reports)).await;
        let terminal = begun.map_err(|_| EngineError::internal("starting an exec", "it did not begin in time"))??;
        Ok((ours, terminal))
    }

    /// Sets the size of a session's terminal.
    pub async fn exec_resize(&self, id: &str, rows: u16, cols: u16) -> Result<(), EngineError> {
        let (_, exec) = self.find_exec(id)?;
        let terminal = exec.state().terminal.clone();
        match terminal {
            Some(terminal) => {
                terminal.resize(rows, cols).map_err(|e| EngineError::internal("resizing the terminal", e))
            }
            // A client asks as soon as it has started one, and that may have ended by then.
            None if exec.options.tty && exec.over() => Ok(()),
            None => Err(EngineError::conflict(format!("exec {id} has no terminal"))),
        }
    }

    /// A session, for `inspect`.
    pub async fn exec_inspect(&self, id: &str) -> Result<ExecDetails, EngineError> {
        let (_, exec) = self.find_exec(id)?;
        let state = exec.state();
        Ok(ExecDetails {
            id: exec.id.clone(),
            container: exec.container.to_string(),
            running: state.pid != 0 && state.exit_code.is_none(),
            exit_code: state.exit_code,
            pid: state.pid,
            options: exec.options.clone(),
        })
    }
}

/// Reads reports until the program runs.
async fn begun(exec: &Exec, reports: &AsyncReports) -> Result<Option<Arc<Terminal>>, EngineError> {
    let mut terminal = None;
    loop {
        match reports.next().await? {
            Some((Report::Created { pid }, _)) => exec.state().pid = u32::try_from(pid).unwrap_or(0),
            Some((Report::Terminal, Some(master))) => {
                let taken = Terminal::new(master).map_err(|e| EngineError::internal("taking over a terminal", e))?;
                terminal = Some(Arc::new(taken));
            }
            Some((Report::Ready, _)) => {}
            Some((Report::Running, _)) => return Ok(terminal),
            Some((Report::Failed(failure), _)) => return Err(start_error(&failure)),
            other => {
                let what = format!("its monitor said {:?}", other.map(|(r, _)| r));
                return Err(EngineError::internal("starting an exec", what));
            }
        }
    }
}

/// Waits for the end, lets the last output through, records the status and lets go of what the session held.
async fn follow(
    engine: Engine,
    container: Arc<Container>,
    exec: Arc<Exec>,
    reports: AsyncReports,
    mut relays: tokio::task::JoinSet<std::io::Result<()>>,
    output: mpsc::Sender<Output>,
) {
    let code = loop {
        match reports.next().await {
            Ok(Some((Report::Exited(record), _))) => break i64::from(record.status),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => break 255,
        }
    };
    // The client asks for the status as soon as the output ends, and the pipes close a moment before the monitor
    // tells: so this end of the output stays open until the status is there.
    exec.state().exit_code = Some(code);
    drop(output);
    let drained = async { while relays.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(DRAIN, drained).await;
    relays.abort_all();
    exec.state().terminal = None;
    exec.stdin.lock().await.end();
    let mut attributes = event_attributes(&container.record());
    attributes.insert("execID".to_owned(), exec.id.clone());
    attributes.insert("exitCode".to_owned(), code.to_string());
    engine.publish("container.exec_die", container.id.as_str(), attributes);
}

fn exec_spec(
    container: &ContainerSpec,
    process: &crate::record::ProcessRecord,
    options: &ExecOptions,
) -> Result<ExecSpec, EngineError> {
    let mut env = process.env.clone();
    let name = |e: &str| e.split_once('=').map_or(e, |(n, _)| n).to_owned();
    if options.tty && !env.iter().any(|e| name(e) == "TERM") {
        env.push("TERM=xterm".to_owned());
    }
    for entry in &options.env {
        env.retain(|e| name(e) != name(entry));
        env.push(entry.clone());
    }
    let mut caps = container.clone();
    caps.privileged |= options.privileged;
    let cwd = options.cwd.clone().filter(|d| !d.is_empty()).unwrap_or_else(|| process.cwd.clone());
    if !cwd.starts_with('/') {
        return Err(EngineError::new(Kind::Invalid, format!("the working directory '{cwd}' is not an absolute path")));
    }
    let built = oci::ProcessBuilder::default()
        .terminal(options.tty)
        .args(options.cmd.clone())
        .env(env)
        .cwd(cwd)
        .capabilities(capabilities::of(&caps)?)
        .no_new_privileges(crate::spec::security(container)?.no_new_privileges)
        .build();
    let user = options.user.clone().filter(|u| !u.is_empty()).unwrap_or_else(|| process.user.clone());
    Ok(ExecSpec {
        process: built.map_err(|e| EngineError::internal("building the process", e))?,
        user: Some(if user.is_empty() { "0".to_owned() } else { user }),
        groups: container.groups.clone(),
    })
}
