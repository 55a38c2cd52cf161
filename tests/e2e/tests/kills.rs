//! kill -9 at random instants: of the daemon, its launcher, a container's monitor, the resolver, or all of them, while
//! `davit run`, `davit pull` and `davit stop` are under way. Whatever the instant: a daemon can be had again, containers
//! run on with no line of their logs lost or doubled, the next run and pull work, and nothing is left at the end.
//!
//! `DAVIT_TEST_LONG=1` makes 200 rounds of each kind instead of 20; `DAVIT_TEST_SEED=N` repeats the instants of a
//! failure, which names its seed. Processes are found below the test's own daemon alone and killed by their ids.

use anyhow::{Context as _, Result, bail, ensure};
use davit_e2e::{Done, World, run};
use davit_fixtures::{
    image::{self, Config},
    process::until,
};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

#[test]
fn a_daemon_is_killed_at_any_instant() -> Result<()> {
    rounds_of(Victim::Daemon)
}

#[test]
fn a_launcher_is_killed_at_any_instant() -> Result<()> {
    rounds_of(Victim::Launcher)
}

#[test]
fn a_monitor_is_killed_at_any_instant() -> Result<()> {
    rounds_of(Victim::Monitor)
}

#[test]
fn a_resolver_is_killed_at_any_instant() -> Result<()> {
    rounds_of(Victim::Resolver)
}

#[test]
fn all_are_killed_together_at_any_instant() -> Result<()> {
    rounds_of(Victim::All)
}

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Daemon,
    Launcher,
    Monitor,
    Resolver,
    All,
}

/// What is under way meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Run,
    Pull,
    Stop,
}

const ACTIONS: [Action; 3] = [Action::Run, Action::Pull, Action::Stop];

/// A line every 20 ms, by its number.
const COUNTER: &str = "i=0; while :; do echo line$i; i=$((i+1)); sleep 0.02; done";
/// How many lines of the counter's log are read at a look: more than it gets from one to the next.
const TAIL: &str = "2000";
/// Ends soon after it is asked to.
const OBEYS: &str = "trap 'exit 0' TERM; while :; do sleep 0.02; done";
/// Bytes of the layer that makes a pull last.
const BALLAST: usize = 2 << 20;
/// How long what is under way may take to end after a kill, well or not.
const PATIENCE: Duration = Duration::from_secs(20);

fn rounds_of(victim: Victim) -> Result<()> {
    let rounds = if std::env::var_os("DAVIT_TEST_LONG").is_some_and(|v| v == "1") { 200 } else { 20 };
    let seed = match std::env::var("DAVIT_TEST_SEED") {
        Ok(seed) => seed.parse().context("DAVIT_TEST_SEED")?,
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    };
    let mut trial = Trial::start(victim, seed)?;
    for round in 0..rounds {
        let action = ACTIONS[round % ACTIONS.len()];
        let told = trial.round(round, action);
        told.with_context(|| format!("{victim:?} killed, round {round} ({action:?}), DAVIT_TEST_SEED={seed}"))?;
    }
    trial.finish(rounds).with_context(|| format!("after {rounds} rounds of {victim:?} killed, DAVIT_TEST_SEED={seed}"))
}

/// A world whose parts are killed, and what has been seen of it.
struct Trial {
    world: World,
    victim: Victim,
    random: Random,
    /// A larger image than the others, to be pulled.
    image: String,
    /// The counter's first process, which runs through all rounds.
    counter: String,
    /// Lines that the counter's log had.
    lines: usize,
    /// How long each action takes where nobody is killed, in the order of [`ACTIONS`].
    takes: [Duration; 3],
    /// Launchers and monitors that were seen, of all daemons.
    family: BTreeSet<Process>,
    /// How many rounds had a victim.
    struck: usize,
}

impl Trial {
    fn start(victim: Victim, seed: u64) -> Result<Self> {
        let world = World::start()?;
        let image = format!("{}/test/ballast:1", world.registry.host);
        let layout = world.daemon.dir().join("ballast");
        image::make_with_ballast(&layout, &Config::shell(), BALLAST)?.push(&image, None)?;
        // The image that the rounds run shares layers with the one that they pull.
        world.davit(&["pull", "-q", "IMAGE"])?.success()?;
        world.davit(&["run", "-d", "--name", "counter", "IMAGE", "sh", "-c", COUNTER])?.success()?;
        let counter = world.davit(&["inspect", "-f", "{{.State.Pid}}", "counter"])?.success()?.out().to_owned();
        let (random, family) = (Random(seed ^ victim as u64), BTreeSet::new());
        let mut trial =
            Self { world, victim, random, image, counter, lines: 0, takes: [Duration::ZERO; 3], family, struck: 0 };
        for (at, action) in ACTIONS.into_iter().enumerate() {
            trial.prepare("calm", action)?;
            let begun = Instant::now();
            run(trial.command("calm", action), None)?.success()?;
            trial.takes[at] = begun.elapsed();
            trial.settle("calm", action)?;
        }
        Ok(trial)
    }

    /// One kill while `action` is under way, and all that must hold after it.
    fn round(&mut self, round: usize, action: Action) -> Result<()> {
        let name = format!("r{round}");
        self.prepare(&name, action)?;
        self.look()?;
        let takes = self.takes[round % ACTIONS.len()];
        let instant = takes.mul_f64(self.random.fraction() * 1.2);
        let command = self.command(&name, action);
        let begun = Instant::now();
        let under_way = std::thread::spawn(move || run(command, None));
        std::thread::sleep(instant);
        self.kill()?;
        let outcome = under_way.join().map_err(|_| anyhow::anyhow!("the command's thread panicked"))??;
        let took = begun.elapsed();
        ensure!(took < PATIENCE, "killed after {instant:?}: the command took {took:?}: {outcome:?}");
        self.checks(&name, action, &outcome).with_context(|| {
            format!("killed after {instant:?}, the command ended so: {outcome:?}\n{}", self.world.daemon.log())
        })
    }

    fn checks(&mut self, name: &str, action: Action, outcome: &Done) -> Result<()> {
        if self.world.daemon.pid() == 0 {
            self.world.daemon.launch().context("the next daemon")?;
        }
        if outcome.code == 0 && action == Action::Run {
            ensure!(outcome.out() == name, "a run that ended well gave another output");
        }
        self.counter_counts()?;
        self.settle(name, action)?;
        let again = self.world.davit(&["run", "--rm", "IMAGE", "echo", "again"])?;
        ensure!(again.code == 0 && again.out() == "again", "the next run: {again:?}");
        self.names_are_served()
    }

    /// Makes what `action` needs.
    fn prepare(&self, name: &str, action: Action) -> Result<()> {
        if action == Action::Stop {
            self.world.davit(&["run", "-d", "--name", name, "IMAGE", "sh", "-c", OBEYS])?.success()?;
        }
        Ok(())
    }

    fn command(&self, name: &str, action: Action) -> std::process::Command {
        let mut command = self.world.daemon.davit();
        match action {
            Action::Run => command.args(["run", "--rm", "--name", name, &self.world.busybox, "echo", name]),
            Action::Pull => command.args(["pull", "-q", &self.image]),
            Action::Stop => command.args(["stop", "-t", "2", name]),
        };
        command
    }

    /// What the action was about can be brought to its end, and be removed.
    fn settle(&self, name: &str, action: Action) -> Result<()> {
        let davit = |args: &[&str]| self.world.davit(args);
        match action {
            Action::Pull => {
                davit(&["pull", "-q", &self.image])?.success().context("the next pull")?;
                let run = davit(&["run", "--rm", &self.image, "wc", "-c", "/ballast"])?.success();
                ensure!(run?.out() == format!("{BALLAST} /ballast"), "what was pulled is whole");
                davit(&["rmi", &self.image])?.success().map(drop)
            }
            Action::Stop => {
                davit(&["stop", "-t", "2", name])?.success().context("the next stop")?;
                let state = davit(&["inspect", "-f", "{{.State.Status}}", name])?.success()?;
                ensure!(state.out() == "exited", "stopped, and yet {}", state.out());
                davit(&["rm", name])?.success().map(drop)
            }
            Action::Run => {
                // It may have been created and no more: then it is on record, can be seen and be removed.
                if davit(&["inspect", "-f", "{{.State.Status}}", name])?.code == 0 {
                    let removed = davit(&["rm", "-f", name])?;
                    ensure!(removed.code == 0 || removed.stderr.contains("No such container"), "{removed:?}");
                }
                until(Duration::from_secs(5), &format!("{name} is gone"), || {
                    let listed = davit(&["ps", "-a", "--format", "{{.Names}}"])?.success()?;
                    Ok((!listed.out().lines().any(|n| n == name)).then_some(()))
                })
            }
        }
    }

    /// The counter runs as the same process, and its log goes on where it was, line by line.
    fn counter_counts(&mut self) -> Result<()> {
        let state = self.world.davit(&["inspect", "-f", "{{.State.Pid}} {{.State.Status}}", "counter"])?.success()?;
        ensure!(state.out() == format!("{} running", self.counter), "the counter is {:?}", state.out());
        let now = self.counted()?;
        ensure!(now >= self.lines, "the counter's log has become shorter: {} lines, now {now}", self.lines);
        self.lines = until(Duration::from_secs(10), "the counter's log grows", || {
            // Three more: some may have been on their way before the kill.
            let lines = self.counted()?;
            Ok((lines > now + 2).then_some(lines))
        })?;
        Ok(())
    }

    /// How many lines the counter's log has, each of those since the last look the one that follows. Only its end is
    /// read: in the long form it gets a hundred thousand lines.
    fn counted(&self) -> Result<usize> {
        let end = self.world.davit(&["logs", "--tail", TAIL, "counter"])?.success()?.stdout;
        let number = |line: &str| line.strip_prefix("line").and_then(|n| n.parse().ok());
        let first: usize = end.lines().next().and_then(number).unwrap_or(0);
        if first > self.lines {
            return self.counted_whole();
        }
        for (i, line) in (first..).zip(end.lines()) {
            ensure!(line == format!("line{i}"), "the counter's log has {line:?} as its line {i}");
        }
        Ok(first + end.lines().count())
    }

    /// As [`Trial::counted`], from the first line on.
    fn counted_whole(&self) -> Result<usize> {
        let log = self.world.davit(&["logs", "counter"])?.success()?.stdout;
        for (i, line) in log.lines().enumerate() {
            ensure!(line == format!("line{i}"), "the counter's log has {line:?} as its line {i}");
        }
        Ok(log.lines().count())
    }

    /// Remembers the launchers below the daemon and the monitors below them.
    fn look(&mut self) -> Result<()> {
        let daemon = self.world.daemon.pid();
        let all = Process::all()?;
        self.family.retain(|p| all.contains(p));
        self.family.extend(all.iter().filter(|p| p.parent == daemon && p.is_launcher()).cloned());
        let above: BTreeSet<i32> = self.family.iter().map(|p| p.id).collect();
        self.family.extend(all.into_iter().filter(|p| above.contains(&p.parent) && p.is_monitor()));
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        if self.victim == Victim::Daemon {
            self.struck += 1;
            return self.world.daemon.kill();
        }
        self.look()?;
        let launchers: Vec<_> = self.family.iter().filter(|p| p.is_launcher()).cloned().collect();
        let monitors: Vec<_> = self.family.iter().filter(|p| p.is_monitor()).cloned().collect();
        let resolvers = self.resolvers()?;
        let mut victims = match self.victim {
            Victim::Daemon => Vec::new(),
            Victim::Launcher => self.random.pick(&launchers).into_iter().cloned().collect(),
            Victim::Monitor => self.random.pick(&monitors).into_iter().cloned().collect(),
            Victim::Resolver => resolvers,
            Victim::All => [launchers, monitors, resolvers].concat(),
        };
        self.struck += usize::from(!victims.is_empty());
        if self.victim == Victim::All {
            // In any order, with the daemon somewhere among them.
            self.random.shuffle(&mut victims);
            let others = victims.split_off(self.random.below(victims.len() + 1));
            victims.iter().try_for_each(Process::kill)?;
            self.world.daemon.kill()?;
            victims = others;
        }
        victims.iter().try_for_each(Process::kill)
    }

    /// One resolver runs, not none and not two.
    fn names_are_served(&self) -> Result<()> {
        let served =
            until(Duration::from_secs(5), "one resolver runs", || Ok((self.resolvers()?.len() == 1).then_some(())));
        served.with_context(|| format!("resolvers: {:?}", self.resolvers()))
    }

    fn resolvers(&self) -> Result<Vec<Process>> {
        let root = self.world.daemon.exec_root().display().to_string();
        let all = Process::all()?;
        Ok(all
            .into_iter()
            .filter(|p| p.arguments.get(1).is_some_and(|a| a == "names") && p.arguments.contains(&root))
            .collect())
    }

    /// Nothing is left: neither of what carries the daemon's tag nor of the processes that were seen.
    fn finish(mut self, rounds: usize) -> Result<()> {
        ensure!(self.struck * 10 >= rounds * 9, "{} of {rounds} rounds had nobody to kill", rounds - self.struck);
        self.names_are_served()?;
        self.counted_whole()?;
        self.look()?;
        self.world.daemon.finish()?;
        let mut left = Vec::new();
        let gone = until(Duration::from_secs(10), "launchers and monitors have ended", || {
            let all = Process::all()?;
            left = self.family.iter().filter(|p| all.contains(p)).cloned().collect();
            Ok(left.is_empty().then_some(()))
        });
        gone.with_context(|| format!("left: {left:?}"))
    }
}

/// A process as `/proc` shows it; the same number with another start is another process.
#[derive(Clone, Debug)]
struct Process {
    id: i32,
    parent: i32,
    /// Ticks after the boot (proc_pid_stat(5)).
    started: u64,
    name: String,
    arguments: Vec<String>,
}

impl Process {
    /// All that run; not those that have ended and wait for their parent.
    fn all() -> Result<BTreeSet<Self>> {
        let ids = fs::read_dir("/proc")?.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
        Ok(ids.filter_map(Self::read).collect())
    }

    fn read(id: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        if fields.first() == Some(&"Z") {
            return None;
        }
        let line = fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let arguments = String::from_utf8_lossy(&line).split_terminator('\0').map(str::to_owned).collect();
        let (parent, started) = (fields.get(1)?.parse().ok()?, fields.get(19)?.parse().ok()?);
        Some(Self { id, parent, started, name: name.to_owned(), arguments })
    }

    fn is_monitor(&self) -> bool {
        self.name == "davit: monitor"
    }

    fn is_launcher(&self) -> bool {
        !self.is_monitor() && self.arguments.get(1).is_some_and(|a| a == "launch")
    }

    fn kill(&self) -> Result<()> {
        if Self::read(self.id).is_none_or(|p| p != *self) {
            return Ok(());
        }
        match kill(Pid::from_raw(self.id), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(e) => bail!("killing {self:?}: {e}"),
        }
    }
}

impl PartialEq for Process {
    fn eq(&self, other: &Self) -> bool {
        (self.id, self.started) == (other.id, other.started)
    }
}

impl Eq for Process {}

impl PartialOrd for Process {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Process {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.id, self.started).cmp(&(other.id, other.started))
    }
}

/// Numbers that a seed repeats (splitmix64, Steele et al. 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or(0)
    }

    /// From 0 to 1.
    fn fraction(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.below(from.len())) }
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for at in (1..all.len()).rev() {
            all.swap(at, self.below(at + 1));
        }
    }
}
