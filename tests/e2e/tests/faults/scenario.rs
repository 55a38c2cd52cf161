//! What a daemon is doing when it is killed, and what must hold afterwards.

use crate::snapshot::Snapshot;
use anyhow::{Context as _, Result, bail, ensure};
use davit_e2e::{Done, World, plugin::embed};
use davit_fixtures::{
    image::{self, Config},
    leftovers,
    process::{run, until},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command,
    time::Duration,
};

/// Commands that a daemon is to be killed in. At their end nothing is left of what they made.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// `davit …`, one after the other. `IMAGE` is there already, `OTHER` is only in the registry.
    commands: &'static [&'static str],
    /// Whether a container that was created can be started.
    starts: bool,
    /// Each time on the data root of a daemon that has pulled its image and done no more: there is no network yet.
    anew: bool,
}

/// Ends as soon as it is asked to.
const OBEYS: &str = "trap 'exit 0' TERM; while :; do sleep 0.02; done";

pub(crate) const SCENARIOS: [Scenario; 6] = [
    Scenario {
        name: "a container with a volume of its own is created, started, stopped and removed",
        commands: &["create --name box -v /data IMAGE sh -c OBEYS", "start box", "stop -t 5 box", "rm -v box"],
        starts: true,
        anew: false,
    },
    Scenario {
        name: "the first run makes the network",
        commands: &["run -d --name box -p 127.0.0.1::80 IMAGE sh -c OBEYS", "rm -f box"],
        starts: true,
        anew: true,
    },
    Scenario {
        name: "an image is pulled and removed",
        commands: &["pull -q OTHER", "rmi OTHER"],
        starts: true,
        anew: false,
    },
    Scenario {
        name: "a plugin is installed, upgraded, rolled back and removed",
        commands: &[
            "plugin install -y HOUSE1",
            "plugin upgrade -y house HOUSE2",
            "plugin rollback house",
            "plugin rm house",
        ],
        starts: true,
        anew: false,
    },
    Scenario {
        name: "a run that removes itself",
        commands: &["run --rm --name box IMAGE true"],
        starts: true,
        anew: false,
    },
    Scenario {
        name: "a run that cannot start",
        commands: &["run --rm --name box IMAGE /nosuch"],
        starts: false,
        anew: false,
    },
];

/// No point has this name: all are counted, none is the last.
const NOBODY: &str = "nobody";

/// How long what goes on after a command may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A daemon that is killed again and again.
pub(crate) struct Trial {
    world: World,
    scenario: &'static Scenario,
    other: String,
    /// Two versions of a plugin.
    houses: [String; 2],
    /// How everything looks when nothing is under way.
    calm: Snapshot,
    /// How the commands end where nobody is killed.
    codes: Vec<i32>,
    /// Where a daemon was killed.
    killed_at: BTreeSet<String>,
    /// How many points the last recovery had that nobody ended.
    recovery: usize,
    /// How many rounds had a daemon killed.
    killed: usize,
    /// The recovery's own points that were passed, each with the point of a kill that led there.
    recovering: BTreeMap<String, String>,
}

/// What the names of points begin with that only a recovery has.
const OF_RECOVERY: &str = "recover.";

/// Where the daemon after a kill is killed in its recovery.
enum InRecovery {
    /// Its points go round with this number.
    Nth(usize),
    /// At a point of that name.
    At(String),
}

impl Trial {
    pub(crate) fn start(scenario: &'static Scenario) -> Result<Self> {
        let world = World::start()?;
        let other = format!("{}/test/other:1", world.registry.host);
        image::make_with_ballast(&world.daemon.dir().join("other"), &Config::shell(), 1 << 16)?.push(&other, None)?;
        world.davit(&["pull", "-q", "IMAGE"])?.success()?;
        let (calm, killed_at, codes) = (Snapshot::default(), BTreeSet::new(), Vec::new());
        let houses = [house(&world, 1)?, house(&world, 2)?];
        let mut trial = Self {
            world,
            scenario,
            other,
            houses,
            calm,
            codes,
            killed_at,
            recovery: usize::MAX,
            killed: 0,
            recovering: BTreeMap::new(),
        };
        if scenario.anew {
            trial.world.daemon.stop()?;
            copy(&trial.world.daemon.data_root(), &trial.template())?;
            trial.world.daemon.launch()?;
        }
        // A network that somebody has been on has a zone, and names are served for it.
        trial.world.davit(&["run", "--rm", "IMAGE", "true"])?.success()?;
        for command in scenario.commands {
            let done = trial.davit(command)?;
            ensure!(done.code == if scenario.starts { 0 } else { 127 }, "{command}: {done:?}");
            trial.codes.push(done.code);
        }
        trial.calm = Snapshot::settled(&trial.world)?;
        Ok(trial)
    }

    /// Kills at the first point, the second, …; answers the names of the points where a daemon was killed.
    pub(crate) fn kill_at_each(mut self) -> Result<BTreeSet<String>> {
        let name = self.scenario.name;
        let points = self.points().with_context(|| format!("{name}: nobody killed"))?;
        ensure!(!points.is_empty(), "davitd has no fault points: build it with cargo build --release --all-targets");
        let every = std::env::var_os("DAVIT_TEST_LONG").is_some_and(|v| v == "1");
        let (mut between, mut kills) = (BTreeSet::new(), 0);
        for (at, (command, point)) in points.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|b| points.get(b)).map(|(_, name)| name);
            if between.insert((command, before, point)) || every {
                let told = self.round(&(at + 1).to_string(), &InRecovery::Nth(at + 1));
                told.with_context(|| format!("{name}: killed at point {}\n{}", at + 1, self.world.daemon.log()))?;
                kills += 1;
            }
        }
        // Layers of a pull are fetched and unpacked side by side, so its last points are not there every time.
        ensure!(self.killed * 2 > kills, "{} of {kills} rounds had nobody killed", kills - self.killed);
        // And the n-th of one run is another in the next, so that a point may have been missed: it is named.
        let names: BTreeSet<String> = points.into_iter().map(|(_, name)| name).collect();
        for (nth, point) in names.iter().enumerate() {
            if !self.killed_at.contains(point) {
                let told = self.round(point, &InRecovery::Nth(nth));
                told.with_context(|| format!("{name}: killed at {point}\n{}", self.world.daemon.log()))?;
            }
        }
        // Which point of a recovery comes up is chance, so those of its own that did not are named as well.
        for (recovering, point) in self.recovering.clone() {
            if !self.killed_at.contains(&recovering) {
                let told = self.round(&point, &InRecovery::At(recovering.clone()));
                told.with_context(|| format!("{name}: {point}, {recovering}\n{}", self.world.daemon.log()))?;
            }
        }
        self.world.daemon.finish()?;
        Ok(self.killed_at)
    }

    /// The points that the scenario passes where nobody is killed, each with the number of its command.
    fn points(&mut self) -> Result<Vec<(usize, String)>> {
        self.prepare()?;
        self.arm(NOBODY)?;
        let mut points = Vec::new();
        let mut tell = |trial: &Self, command| {
            let passed = trial.passed();
            points.extend(passed.into_iter().skip(points.len()).map(|name| (command, name)));
        };
        for (at, command) in self.scenario.commands.iter().enumerate() {
            self.davit(command)?;
            tell(self, at);
        }
        self.settles()?;
        tell(self, self.scenario.commands.len());
        self.disarm()?;
        Ok(points)
    }

    /// One kill at `point` (its number, or its name), another in the recovery, and all that must hold then.
    fn round(&mut self, point: &str, then: &InRecovery) -> Result<()> {
        self.prepare()?;
        self.arm(point)?;
        for command in self.scenario.commands {
            if self.world.daemon.alive() {
                self.davit(command)?;
            }
        }
        let calm = self.calm.clone();
        until(PATIENCE, "the daemon is killed, or has done its work", || {
            Ok((!self.world.daemon.alive() || Snapshot::of(&self.world)? == calm).then_some(()))
        })?;
        self.disarm()?;
        if self.world.daemon.alive() {
            // What is done at the same time is not done in the same order twice: this once it had fewer steps.
            return Ok(());
        }
        self.killed += 1;
        let mut told = format!("killed at {:?}", self.passed().last());
        self.killed_at.extend(self.passed().pop());
        if self.recover(point, then)? {
            told += &format!(", then in the recovery at {:?}", self.passed().last());
        }
        self.checks().with_context(|| told)
    }

    /// The next daemon, which is killed in its recovery (then there is a third) or lives through it.
    fn recover(&mut self, point: &str, then: &InRecovery) -> Result<bool> {
        // One that is named may not come up this time: then nobody is killed.
        let (armed, at) = match then {
            InRecovery::Nth(nth) => ((nth % self.recovery + 1).to_string(), nth % self.recovery + 1),
            InRecovery::At(name) => (name.clone(), usize::MAX),
        };
        self.arm(&armed)?;
        let launched = self.world.daemon.launch();
        self.disarm()?;
        // A point that was reached a moment before is written down by then.
        std::thread::sleep(Duration::from_millis(10));
        let passed = self.passed();
        for own in passed.iter().filter(|name| name.starts_with(OF_RECOVERY)) {
            self.recovering.entry(own.clone()).or_insert_with(|| point.to_owned());
        }
        let at = if passed.last() == Some(&armed) { passed.len() } else { at };
        match launched {
            // It served, and passed its point in what it does beside that.
            Ok(()) if passed.len() >= at => {
                until(PATIENCE, "the daemon is killed", || Ok((!self.world.daemon.alive()).then_some(())))?;
                self.killed_at.extend(passed.last().cloned());
                self.world.daemon.launch().context("the daemon after the one that was killed after its recovery")?;
                Ok(true)
            }
            Ok(()) => {
                self.recovery = passed.len().max(1);
                Ok(false)
            }
            Err(e) if passed.len() < at => Err(e),
            Err(_) => {
                self.killed_at.extend(passed.last().cloned());
                self.world.daemon.launch().context("the daemon after the one that was killed in its recovery")?;
                Ok(true)
            }
        }
    }

    /// The container is as it was, or gone; it can be used and removed, the same can be done again, nothing is left.
    fn checks(&mut self) -> Result<()> {
        let state = self.davit("inspect -f {{.State.Status}} box")?;
        match state.out() {
            _ if state.code != 0 => {}
            "running" => drop(self.davit("exec box true")?.success().context("it runs")?),
            "created" | "exited" => {
                let started = self.davit("start box")?;
                ensure!(started.code == 0 || !self.scenario.starts, "it is {}: {started:?}", state.out());
            }
            other => bail!("it is {other}"),
        }
        let removed = self.davit("plugin rm house")?;
        ensure!(removed.code == 0 || removed.stderr.contains("No such plugin"), "{removed:?}");
        let removed = self.davit("rm -f -v box")?;
        ensure!(removed.code == 0 || removed.stderr.contains("No such container"), "{removed:?}");
        until(PATIENCE, "its name is free", || Ok(self.davit("ps -aq")?.success()?.out().is_empty().then_some(())))?;
        for (command, code) in self.scenario.commands.iter().zip(&self.codes) {
            let again = self.davit(command)?;
            ensure!(again.code == *code, "again, {command}: {again:?}");
        }
        self.settles()
    }

    fn settles(&self) -> Result<()> {
        let now = Snapshot::settled(&self.world)?;
        let told = until(PATIENCE, "nothing is left", || Ok((Snapshot::of(&self.world)? == self.calm).then_some(())));
        told.with_context(|| now.against(&self.calm))
    }

    fn prepare(&mut self) -> Result<()> {
        if !self.scenario.anew {
            return Ok(());
        }
        self.world.daemon.stop()?;
        let root = self.world.daemon.data_root();
        let tag = leftovers::tag(&root).context("the daemon's tag")?;
        leftovers::networks(&tag)?;
        fs::remove_dir_all(&root)?;
        copy(&self.template(), &root)?;
        for zone in fs::read_dir(self.world.daemon.exec_root().join("zones"))? {
            fs::remove_file(zone?.path())?;
        }
        self.world.daemon.launch()
    }

    fn template(&self) -> PathBuf {
        self.world.daemon.dir().join("template")
    }

    /// `davit` with the words of a command.
    fn davit(&self, command: &str) -> Result<Done> {
        let word = |word| match word {
            "OTHER" => self.other.as_str(),
            "OBEYS" => OBEYS,
            "HOUSE1" => self.houses[0].as_str(),
            "HOUSE2" => self.houses[1].as_str(),
            other => other,
        };
        self.world.davit(&command.split(' ').map(word).collect::<Vec<_>>())
    }

    fn arm(&self, point: &str) -> Result<()> {
        let file = self.world.daemon.fault_file();
        fs::write(file.with_extension("passed"), "")?;
        Ok(fs::write(file, point)?)
    }

    fn disarm(&self) -> Result<()> {
        Ok(fs::remove_file(self.world.daemon.fault_file())?)
    }

    fn passed(&self) -> Vec<String> {
        let passed = fs::read_to_string(self.world.daemon.fault_file().with_extension("passed"));
        passed.unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

/// A shipped plugin as that version of a plugin `house`: its file.
fn house(world: &World, version: u32) -> Result<String> {
    let manifest = format!("[plugin]\nname = \"house\"\nversion = \"{version}\"\n");
    let file = format!("house-{version}.wasm");
    let plugin = embed(&world.daemon, world.daemon.dir(), "site-defaults", &manifest, &file)?;
    Ok(plugin.display().to_string())
}

fn copy(from: &PathBuf, to: &PathBuf) -> Result<()> {
    run(Command::new("cp").arg("-a").arg(from).arg(to)).map(drop)
}
