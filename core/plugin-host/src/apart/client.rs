//! The daemon's side: the process, started when it is first needed and again when it ended or hung; and the messages to
//! and from it. Calls in flight when it ends get `unavailable`; plugins are loaded into the next one when they are called.

use super::{
    asker::{Asker, Speaker},
    frames,
    guard::Guard,
    outgoing::Outgoing,
    remote::Remote,
    veil::Veil,
    wire::{Asks, Call, FromHost, Load, Loaded, Served, ToHost},
};
use crate::{
    compile::CompilerProgram,
    compiled::Compiled,
    counts::{Counter, End},
    engine,
    error::LoadError,
    forms::CompiledForms,
    grant::Grant,
    host::{Read, Source},
    manifest::Manifest,
    question::{Question, Reply},
    rights::Rights,
};
use davit_model::{
    error::{PolicyError, PortError},
    services::{HostServices, LogLevel},
    state::Planned,
};
use serde_json::value::RawValue;
use std::{
    collections::HashMap,
    ffi::OsString,
    fmt, io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::BufReader,
    sync::{Notify, Semaphore, mpsc, oneshot, watch},
};

/// How long the process may take until it serves.
const STARTING: Duration = Duration::from_secs(30);
/// How long a plugin may take to be loaded.
const LOADING: Duration = Duration::from_secs(30);
/// How long a call may take before the process is asked whether it still listens, and how long between two such questions.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it may take to answer that: it has a thread for it.
const LISTENING: Duration = Duration::from_secs(8);
/// Questions of calls that are answered at a time; what asks more waits.
const QUESTIONS: usize = 256;

/// Programs that the daemon starts: the host process (which calls [`super::serve_stdin`]) and the compiler.
#[derive(Clone, Debug)]
pub struct HostProgram {
    /// The program, usually `/proc/self/exe`.
    pub program: PathBuf,
    /// Its arguments as the host process.
    pub arguments: Vec<OsString>,
    /// The compiler.
    pub compiler: CompilerProgram,
}

/// Loads plugins into a host process and calls them there. Cheap to clone.
#[derive(Clone)]
pub struct ApartHost(Arc<Inner>);

impl fmt::Debug for ApartHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApartHost").field("program", &self.0.program).finish_non_exhaustive()
    }
}

struct Inner {
    program: HostProgram,
    forms: CompiledForms,
    /// For the names of compiled forms: nothing runs in it.
    engine: wasmtime::Engine,
    running: tokio::sync::Mutex<Option<Arc<Running>>>,
    starts: AtomicU64,
    plugins: AtomicU64,
}

/// One life of the process.
pub(super) struct Running {
    /// Counts the lives.
    pub(super) life: u64,
    outgoing: Arc<Outgoing>,
    waiting: Mutex<Waiting>,
    next: AtomicU64,
    /// Becomes true when it has ended.
    ended: watch::Sender<bool>,
    /// The outer process.
    pid: u32,
    /// Told where the process is to be killed.
    kill: Notify,
}

#[derive(Default)]
struct Waiting {
    loads: HashMap<u64, oneshot::Sender<Result<Loaded, String>>>,
    calls: HashMap<u64, Waited>,
    plugins: HashMap<u64, Speaker>,
    pings: HashMap<u64, oneshot::Sender<()>>,
}

/// A call that is waited for.
struct Waited {
    asker: Asker,
    answer: oneshot::Sender<Answered>,
    /// Where what it asks of its caller goes.
    lent: mpsc::UnboundedSender<(u64, Asks)>,
}

/// How a call went.
pub(super) type Answered = (End, Result<Option<Planned<Reply>>, PortError>);

/// A call under way.
pub(super) struct Flight {
    pub(super) answer: oneshot::Receiver<Answered>,
    pub(super) lent: mpsc::UnboundedReceiver<(u64, Asks)>,
    pub(super) cancel: CancelOnDrop,
}

/// Ends a call whose caller waits no more.
pub(super) struct CancelOnDrop {
    running: Arc<Running>,
    id: u64,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if self.running.waiting().calls.remove(&self.id).is_some() {
            self.running.say(&ToHost::Cancel { id: self.id });
        }
    }
}

impl ApartHost {
    /// Sets the daemon's side up; the process is started with the first plugin.
    ///
    /// # Errors
    /// Where the folder of compiled forms cannot be had.
    pub fn new(cache_dir: &std::path::Path, program: HostProgram) -> Result<Self, LoadError> {
        let engine = engine::engine().map_err(|source| LoadError::Host { what: "setting up wasmtime", source })?;
        let forms = CompiledForms::open(cache_dir, Some(program.compiler.clone()))?;
        let (running, starts, plugins) = (tokio::sync::Mutex::default(), AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self(Arc::new(Inner { program, forms, engine, running, starts, plugins })))
    }

    /// Loads a component under a name of the site's file, with services of its own and a counter that outlives it.
    ///
    /// # Errors
    /// What is wrong with the file, the manifest or the grant; the text names the plugin and says what to do.
    pub async fn load(
        &self,
        services: &Arc<dyn HostServices>,
        counter: &Counter,
        site_name: &str,
        source: Source<'_>,
        grant: &Grant,
    ) -> Result<Arc<Remote>, LoadError> {
        let read = Read::from(site_name, source)?;
        let bad = |reason: String| read.bad(site_name, reason);
        let text = read.manifest().map_err(bad)?;
        let manifest = Manifest::parse(text).map_err(bad)?;
        let digest = read.digest();
        grant.fits(&digest).map_err(bad)?;
        let compiled = self.compiled(&digest, &read.wasm).await.map_err(bad)?;
        let rights = Rights::effective(site_name, &manifest.needs, &grant.rights, &grant.credential_callers);
        let load = Load {
            plugin: self.0.plugins.fetch_add(1, Relaxed),
            site_name: site_name.to_owned(),
            digest: digest.clone(),
            manifest: String::from_utf8_lossy(text).into_owned(),
            granted: grant.rights.clone(),
            callers: grant.credential_callers.clone(),
        };
        let speaker = Speaker {
            site_name: site_name.into(),
            services: services.clone(),
            guard: Arc::new(Guard::new(site_name, rights)),
        };
        Remote::load(self.clone(), load, read.wasm.into_owned(), compiled, speaker, manifest, counter.clone())
            .await
            .map(Arc::new)
            .map_err(|reason| LoadError::Plugin { name: site_name.to_owned(), origin: digest, reason })
    }

    /// The compiled form of a component, made where it is not there.
    pub(super) async fn compiled(&self, digest: &str, wasm: &[u8]) -> Result<Compiled, String> {
        self.0.forms.compiled(&self.0.engine, digest, wasm).await
    }

    /// The process id of the host process's outer part, where one runs.
    pub async fn pid(&self) -> Option<u32> {
        self.0.running.lock().await.as_ref().filter(|r| !*r.ended.borrow()).map(|r| r.pid)
    }

    /// The process, which is started where none lives.
    pub(super) async fn running(&self) -> Result<Arc<Running>, String> {
        let mut running = self.0.running.lock().await;
        if let Some(alive) = running.as_ref().filter(|r| !*r.ended.borrow()) {
            return Ok(alive.clone());
        }
        let life = self.0.starts.fetch_add(1, Relaxed);
        let started = Running::start(&self.0.program, life).await?;
        *running = Some(started.clone());
        Ok(started)
    }
}

impl Running {
    async fn start(program: &HostProgram, life: u64) -> Result<Arc<Self>, String> {
        let failed = |e: io::Error| format!("the plugin host {} cannot be started: {e}", program.program.display());
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let socket = ours.try_clone().map_err(failed)?;
        let mut command = tokio::process::Command::new(&program.program);
        command.args(&program.arguments).env_clear().current_dir("/").kill_on_drop(true);
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(failed)?;
        // The command holds their end; the process's end is seen only when nobody else has it.
        drop(command);
        let (from, to) = tokio::net::UnixStream::from_std(ours).map_err(failed)?.into_split();
        let mut from = BufReader::with_capacity(frames::AT_A_TIME, from);
        let ready = tokio::time::timeout(STARTING, frames::receive::<FromHost>(&mut from)).await;
        match ready {
            Ok(Ok(Some(FromHost::Ready))) => {}
            Ok(Ok(Some(FromHost::Failed { why }))) => {
                return Err(format!("the plugin host does not serve: {why}"));
            }
            Ok(Ok(_)) => return Err("the plugin host ended before it served".to_owned()),
            Ok(Err(e)) => return Err(format!("the plugin host does not serve: {e}")),
            Err(_) => return Err(format!("the plugin host did not serve within {} s", STARTING.as_secs())),
        }
        let running = Arc::new(Self {
            life,
            outgoing: Outgoing::over(to),
            waiting: Mutex::default(),
            next: AtomicU64::new(0),
            ended: watch::Sender::new(false),
            pid: child.id().unwrap_or(0),
            kill: Notify::new(),
        });
        tokio::spawn(attend(running.clone(), child, socket));
        tokio::spawn(listen(running.clone(), from));
        Ok(running)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, message: &ToHost) {
        self.say_with(message, None);
    }

    fn say_with(&self, message: &ToHost, descriptor: Option<OwnedFd>) {
        // What cannot be written is not answered, and that has a deadline.
        if let Ok(frame) = frames::frame(message) {
            self.outgoing.send(frame, descriptor);
        }
    }

    /// Loads a plugin. The error is a text about the component, or about the process.
    pub(super) async fn load(&self, load: Load, compiled: Compiled, speaker: Speaker) -> Result<Loaded, String> {
        let plugin = load.plugin;
        let (to, answer) = oneshot::channel();
        {
            let mut waiting = self.waiting();
            waiting.loads.insert(plugin, to);
            waiting.plugins.insert(plugin, speaker);
        }
        if *self.ended.borrow() {
            self.fail_all();
        }
        self.say_with(&ToHost::Load(Box::new(load)), Some(compiled.into_descriptor()));
        match tokio::time::timeout(LOADING, answer).await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(_)) => Err(ENDED.to_owned()),
            Err(_) => {
                self.end("it did not load a plugin in time");
                Err(format!("the plugin host did not load it within {} s", LOADING.as_secs()))
            }
        }
    }

    pub(super) fn unload(&self, plugin: u64) {
        self.waiting().plugins.remove(&plugin);
        self.say(&ToHost::Unload { plugin });
    }

    /// Begins a call. `section`: what goes with it of the site's file.
    pub(super) fn call(
        self: &Arc<Self>,
        plugin: u64,
        question: Option<Arc<Question>>,
        section: Option<Box<RawValue>>,
        speaker: Speaker,
    ) -> Result<Flight, PolicyError> {
        let id = self.next.fetch_add(1, Relaxed);
        let (to, answer) = oneshot::channel();
        let (lent, asked) = mpsc::unbounded_channel();
        let veil = Arc::new(Veil::default());
        let call = match question.as_deref() {
            Some(question) => Call::Ask(Box::new(veil.question(question)?)),
            None => Call::Wake,
        };
        self.waiting().calls.insert(id, Waited { asker: Asker { speaker, question, veil }, answer: to, lent });
        if *self.ended.borrow() {
            self.fail_all();
        }
        self.say(&ToHost::Call { id, plugin, call, section });
        Ok(Flight { answer, lent: asked, cancel: CancelOnDrop { running: self.clone(), id } })
    }

    /// Answers a question that a call asked of its caller.
    pub(super) fn serve(&self, ask: u64, answer: Served) {
        self.say(&ToHost::Served { ask, answer });
    }

    /// Comes back when the process does not listen any more, which takes a while to be sure of.
    pub(super) async fn hangs(&self) {
        loop {
            tokio::time::sleep(PATIENCE).await;
            let number = self.next.fetch_add(1, Relaxed);
            let (to, pong) = oneshot::channel();
            self.waiting().pings.insert(number, to);
            self.say(&ToHost::Ping { number });
            if tokio::time::timeout(LISTENING, pong).await.is_err() {
                return;
            }
        }
    }

    /// Ends the process: it hangs, or says what makes no sense.
    pub(super) fn end(&self, why: &str) {
        tracing::warn!("the plugin host is ended: {why}");
        self.kill.notify_one();
    }

    /// Whoever waits has waited for nothing.
    fn fail_all(&self) {
        let mut waiting = self.waiting();
        waiting.loads.clear();
        waiting.calls.clear();
        waiting.pings.clear();
    }
}

/// What is told where the process ended.
pub(super) const ENDED: &str = "the plugin host ended meanwhile; it is started again with the next call";

/// Waits for the outer process, or kills it. The inner one ends with it; where it was too young to be told, it sees that
/// its socket is closed.
async fn attend(running: Arc<Running>, mut child: tokio::process::Child, socket: UnixStream) {
    let status = tokio::select! {
        status = child.wait() => status,
        () = running.kill.notified() => child.kill().await.and(child.wait().await),
    };
    match status {
        Ok(status) => tracing::debug!("the plugin host ended with {status}"),
        Err(e) => tracing::warn!("waiting for the plugin host: {e}"),
    }
    // It may be closed already, by the other side.
    let _ = socket.shutdown(std::net::Shutdown::Both);
}

/// Takes what the process says until it ends.
async fn listen(running: Arc<Running>, mut from: BufReader<tokio::net::unix::OwnedReadHalf>) {
    let questions = Arc::new(Semaphore::new(QUESTIONS));
    let why = loop {
        match frames::receive::<FromHost>(&mut from).await {
            Ok(Some(message)) => running.take(message, &questions).await,
            Ok(None) => break "it closed its socket".to_owned(),
            Err(e) => break format!("what it says cannot be read: {e}"),
        }
    };
    running.ended.send_replace(true);
    running.outgoing.end();
    running.end(&why);
    running.fail_all();
}

impl Running {
    async fn take(self: &Arc<Self>, message: FromHost, questions: &Arc<Semaphore>) {
        match message {
            FromHost::Loaded { plugin, loaded } => {
                if let Some(waiting) = self.waiting().loads.remove(&plugin) {
                    // Who loads may have gone.
                    let _ = waiting.send(loaded);
                }
            }
            FromHost::Answered { id, end, mut answer } => {
                let Some(waited) = self.waiting().calls.remove(&id) else { return };
                if let Ok(Some(planned)) = &mut answer
                    && let Err(error) = waited.asker.answers(planned)
                {
                    let call = waited.asker.question.as_deref().map_or("instantiate", Question::call);
                    answer = Err(PortError::new(&*waited.asker.speaker.site_name, call, error));
                }
                let _ = waited.answer.send((end, answer));
            }
            FromHost::Asks { ask, id, asks } => self.asked(ask, id, asks, questions).await,
            FromHost::Pong { number } => {
                if let Some(waiting) = self.waiting().pings.remove(&number) {
                    // Whoever asked may have his answer.
                    let _ = waiting.send(());
                }
            }
            FromHost::Log { plugin, level, text } => {
                let speaker = self.waiting().plugins.get(&plugin).cloned();
                if let Some(speaker) = speaker {
                    speaker.services.log(&speaker.site_name, level, &text);
                }
            }
            // Said once, before anybody listens here.
            FromHost::Ready | FromHost::Failed { .. } => {}
        }
    }

    async fn asked(self: &Arc<Self>, ask: u64, id: u64, mut asks: Asks, questions: &Arc<Semaphore>) {
        let found = {
            let waiting = self.waiting();
            waiting.calls.get(&id).map(|waited| (waited.asker.clone(), waited.lent.clone()))
        };
        let Some((asker, lent)) = found else {
            return self.serve(ask, Err(PolicyError::Internal("the call is over".to_owned())));
        };
        if let Err(error) = asker.speaker.guard.asks(&mut asks, asker.question.as_deref()) {
            let plugin = &asker.speaker.site_name;
            asker.speaker.services.log(plugin, LogLevel::Warn, &format!("refused: {error}"));
            return self.serve(ask, Err(error));
        }
        if matches!(
            asks,
            Asks::Subnet { .. } | Asks::Address { .. } | Asks::Port { .. } | Asks::Referrers { .. } | Asks::Blob { .. }
        ) {
            // Its caller answers, or is gone.
            if lent.send((ask, asks)).is_err() {
                self.serve(ask, Err(PolicyError::Internal("whoever called is not there any more".to_owned())));
            }
            return;
        }
        // A flood of questions waits here, and with it the socket.
        let Ok(turn) = questions.clone().acquire_owned().await else { return };
        let running = self.clone();
        tokio::spawn(async move {
            let answer = asker.done(asks).await;
            running.serve(ask, answer);
            drop(turn);
        });
    }
}
