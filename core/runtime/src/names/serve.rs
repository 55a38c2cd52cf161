//! The loop: zones in, sockets open, questions answered or passed on, deadlines kept.

use super::{
    Zone,
    answer::{self, Decision},
    forward::{Client, Forward},
    listen::Listener,
    single::Single,
    stream::Framed,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs, io,
    io::{Read, Write},
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Questions under way; more are dropped, and their clients ask again.
const MAX_FORWARDS: usize = 1024;
/// TCP clients at a time.
const MAX_STREAMS: usize = 256;
/// How long a TCP client may be silent.
const STREAM_PATIENCE: Duration = Duration::from_secs(10);
/// An address that could not be bound is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// A larger zone file is refused.
const MAX_ZONE: u64 = 16 << 20;
/// Datagrams taken from one socket in one turn.
const TURN: usize = 64;

/// Why the resolver cannot run.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {path}")]
pub struct NamesError {
    operation: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Serves the zones in `<exec-root>/zones` until something fails that a restart must mend. Ends at once where another
/// resolver serves them.
pub fn serve(exec_root: &Path) -> Result<(), NamesError> {
    let failed = |source| NamesError { operation: "become the resolver of", path: exec_root.to_owned(), source };
    let Some(_single) = Single::take(exec_root).map_err(failed)? else { return Ok(()) };
    let mut server = Server::open(&exec_root.join("zones"), 53)?;
    loop {
        server.turn(Duration::from_secs(60))?;
    }
}

struct Stream {
    framed: Framed,
    gateway: IpAddr,
    deadline: Instant,
}

/// The resolver's state between two turns.
pub struct Server {
    dir: PathBuf,
    port: u16,
    watch: OwnedFd,
    zones: BTreeMap<String, Zone>,
    listeners: HashMap<IpAddr, (String, Listener)>,
    unbound: Option<Instant>,
    forwards: Vec<Forward>,
    streams: HashMap<u64, Stream>,
    next_stream: u64,
    turns: usize,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let listening: Vec<_> = self.listeners.keys().collect();
        f.debug_struct("Server").field("dir", &self.dir).field("listening", &listening).finish_non_exhaustive()
    }
}

/// What a readiness is about.
enum Source {
    Watch,
    Udp(IpAddr),
    Accept(IpAddr),
    Stream(u64),
    Forward(usize),
}

impl Server {
    /// Watches `zones` (made where missing) and listens on `port` of every zone's gateways.
    pub fn open(zones: &Path, port: u16) -> Result<Self, NamesError> {
        let failed = |operation| move |source| NamesError { operation, path: zones.to_owned(), source };
        fs::create_dir_all(zones).map_err(failed("make"))?;
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let watch = inotify::init(flags).map_err(io::Error::from).map_err(failed("watch"))?;
        let events = inotify::WatchFlags::CLOSE_WRITE
            | inotify::WatchFlags::MOVED_TO
            | inotify::WatchFlags::MOVED_FROM
            | inotify::WatchFlags::DELETE
            | inotify::WatchFlags::ONLYDIR;
        inotify::add_watch(&watch, zones, events).map_err(io::Error::from).map_err(failed("watch"))?;
        let mut server = Self {
            dir: zones.to_owned(),
            port,
            watch,
            zones: BTreeMap::new(),
            listeners: HashMap::new(),
            unbound: None,
            forwards: Vec::new(),
            streams: HashMap::new(),
            next_stream: 0,
            turns: 0,
        };
        server.reload()?;
        Ok(server)
    }

    /// Waits for at most `patience`, and does what there is to do.
    pub fn turn(&mut self, patience: Duration) -> Result<(), NamesError> {
        let ready = self.wait(patience)?;
        let mut reload = false;
        let mut forwards = Vec::new();
        for source in ready {
            match source {
                Source::Watch => reload = true,
                Source::Udp(gateway) => self.datagrams(gateway),
                Source::Accept(gateway) => self.accept(gateway),
                Source::Stream(number) => self.stream(number),
                Source::Forward(index) => forwards.push(index),
            }
        }
        // From the back: an answered one is replaced by the last.
        for index in forwards.into_iter().rev() {
            self.upstream(index);
        }
        self.deadlines();
        if reload {
            self.drain_watch();
            self.reload()?;
        }
        Ok(())
    }

    fn wait(&self, patience: Duration) -> Result<Vec<Source>, NamesError> {
        let mut sources = vec![Source::Watch];
        let mut fds = vec![PollFd::new(&self.watch, PollFlags::IN)];
        for (gateway, (_, listener)) in &self.listeners {
            sources.push(Source::Udp(*gateway));
            fds.push(PollFd::new(&listener.udp, PollFlags::IN));
            sources.push(Source::Accept(*gateway));
            fds.push(PollFd::new(&listener.tcp, PollFlags::IN));
        }
        let interest = |writes| if writes { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        for (number, stream) in &self.streams {
            sources.push(Source::Stream(*number));
            fds.push(PollFd::from_borrowed_fd(stream.framed.stream.as_fd(), interest(stream.framed.waiting())));
        }
        for (index, forward) in self.forwards.iter().enumerate() {
            sources.push(Source::Forward(index));
            fds.push(PollFd::from_borrowed_fd(forward.fd(), interest(forward.writes())));
        }
        let now = Instant::now();
        let next = self.forwards.iter().map(|f| f.deadline).chain(self.streams.values().map(|s| s.deadline));
        let next = next.chain(self.unbound).map(|at| at.saturating_duration_since(now)).min();
        let wait = next.map_or(patience, |n| n.min(patience));
        let wait = Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            // Rounded up, so that a deadline has passed when we wake.
            tv_nsec: i64::from(wait.subsec_nanos()),
        };
        match poll(&mut fds, Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(NamesError { operation: "poll for", path: self.dir.clone(), source: e.into() }),
        }
        Ok(sources.into_iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty()).map(|(source, _)| source).collect())
    }

    fn zone(&self, gateway: IpAddr) -> Option<&Zone> {
        self.zones.get(&self.listeners.get(&gateway)?.0)
    }

    fn datagrams(&mut self, gateway: IpAddr) {
        let mut buffer = [0; 4096];
        for _ in 0..TURN {
            let Some((_, listener)) = self.listeners.get(&gateway) else { return };
            let Ok((size, peer)) = listener.udp.recv_from(&mut buffer) else { return };
            let request = buffer.get(..size).unwrap_or_default();
            self.question(gateway, request, Client::Udp(gateway, peer));
        }
    }

    fn accept(&mut self, gateway: IpAddr) {
        let Some((_, listener)) = self.listeners.get(&gateway) else { return };
        let Ok((stream, _)) = listener.tcp.accept() else { return };
        // A client too many is let go at once.
        if self.streams.len() >= MAX_STREAMS {
            return;
        }
        if let Ok(framed) = Framed::new(stream) {
            self.next_stream += 1;
            let deadline = Instant::now() + STREAM_PATIENCE;
            self.streams.insert(self.next_stream, Stream { framed, gateway, deadline });
        }
    }

    fn stream(&mut self, number: u64) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let gateway = stream.gateway;
        let (messages, done) = match stream.framed.flush().and_then(|()| stream.framed.read()) {
            Ok(read) => read,
            Err(_) => {
                self.streams.remove(&number);
                return;
            }
        };
        if !messages.is_empty() {
            stream.deadline = Instant::now() + STREAM_PATIENCE;
        }
        for request in messages {
            self.question(gateway, &request, Client::Tcp(number));
        }
        if done {
            self.streams.remove(&number);
        }
    }

    fn question(&mut self, gateway: IpAddr, request: &[u8], client: Client) {
        self.turns = self.turns.wrapping_add(1);
        let Some(zone) = self.zone(gateway) else { return };
        match answer::decide(zone, request, matches!(client, Client::Udp(..)), self.turns) {
            Decision::Reply(reply) => self.send(client, &reply),
            Decision::Drop => {}
            Decision::Forward => {
                if self.forwards.len() >= MAX_FORWARDS {
                    return;
                }
                let ours = |s: &SocketAddr| s.port() == self.port && self.listeners.contains_key(&s.ip());
                let upstream: VecDeque<_> = zone.upstream.iter().filter(|s| !ours(s)).copied().collect();
                match Forward::start(client, request.to_vec(), upstream) {
                    Some(forward) => self.forwards.push(forward),
                    None => self.fail(client, request),
                }
            }
        }
    }

    fn upstream(&mut self, index: usize) {
        let Some(forward) = self.forwards.get_mut(index) else { return };
        match forward.ready() {
            Ok(None) => {}
            Ok(Some(answer)) => {
                let client = self.forwards.swap_remove(index).client;
                self.send(client, &answer);
            }
            Err(_) => self.give_up(index),
        }
    }

    /// The next server, or the end of it.
    fn give_up(&mut self, index: usize) {
        let Some(forward) = self.forwards.get_mut(index) else { return };
        if !forward.next() {
            let forward = self.forwards.swap_remove(index);
            self.fail(forward.client, &forward.request);
        }
    }

    fn fail(&mut self, client: Client, request: &[u8]) {
        if let Some(reply) = answer::failed(request) {
            self.send(client, &reply);
        }
    }

    fn send(&mut self, client: Client, reply: &[u8]) {
        match client {
            // A datagram that does not go is one that got lost.
            Client::Udp(gateway, peer) => {
                if let Some((_, listener)) = self.listeners.get(&gateway) {
                    let _ = listener.udp.send_to(reply, peer);
                }
            }
            Client::Tcp(number) => {
                if self.streams.get_mut(&number).is_some_and(|s| s.framed.send(reply).is_err()) {
                    self.streams.remove(&number);
                }
            }
        }
    }

    fn deadlines(&mut self) {
        let now = Instant::now();
        for index in (0..self.forwards.len()).rev() {
            if self.forwards.get(index).is_some_and(|f| f.deadline <= now) {
                self.give_up(index);
            }
        }
        self.streams.retain(|_, s| s.deadline > now);
        if self.unbound.is_some_and(|at| at <= now) {
            self.bind();
        }
    }

    fn drain_watch(&self) {
        let mut buffer = [0_u8; 4096];
        while rustix::io::read(&self.watch, &mut buffer).is_ok_and(|n| n > 0) {}
    }

    /// Reads all zones. One that cannot be read keeps its last good form.
    fn reload(&mut self) -> Result<(), NamesError> {
        let failed = |source| NamesError { operation: "read", path: self.dir.clone(), source };
        let mut zones = BTreeMap::new();
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(network) = name.strip_suffix(".zone").filter(|n| !n.is_empty() && !n.starts_with('.')) else {
                continue;
            };
            match read_zone(&path) {
                Ok(zone) => drop(zones.insert(network.to_owned(), zone)),
                // Removed since it was listed.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => {
                    say(&format!("zone {network}: {e}"));
                    if let Some(old) = self.zones.remove(network) {
                        zones.insert(network.to_owned(), old);
                    }
                }
            }
        }
        self.zones = zones;
        self.bind();
        Ok(())
    }

    /// Closes what no zone wants, and opens what is missing.
    fn bind(&mut self) {
        let mut wanted: HashMap<IpAddr, &String> = HashMap::new();
        for (network, zone) in &self.zones {
            for gateway in &zone.listen {
                wanted.entry(*gateway).or_insert(network);
            }
        }
        self.listeners.retain(|gateway, (network, _)| match wanted.get(gateway) {
            Some(now) => {
                network.clone_from(now);
                true
            }
            None => false,
        });
        self.streams.retain(|_, s| wanted.contains_key(&s.gateway));
        let first = self.unbound.take().is_none();
        for (gateway, network) in wanted {
            if self.listeners.contains_key(&gateway) {
                continue;
            }
            match Listener::bind(gateway, self.port) {
                Ok(listener) => drop(self.listeners.insert(gateway, (network.clone(), listener))),
                Err(e) => {
                    if first {
                        say(&format!("zone {network}: listen on {gateway} port {}: {e}", self.port));
                    }
                    self.unbound = Some(Instant::now() + RETRY);
                }
            }
        }
    }
}

fn read_zone(path: &Path) -> io::Result<Zone> {
    let mut text = String::new();
    let size = fs::File::open(path)?.take(MAX_ZONE + 1).read_to_string(&mut text)?;
    if size as u64 > MAX_ZONE {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    serde_json::from_str(&text).map_err(io::Error::from)
}

/// A line for the log that the engine keeps of us.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "davit-runtime names: {text}");
}
