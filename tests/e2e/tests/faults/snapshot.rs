//! Everything that a daemon has on its machine, in lines that can be compared: rows of its database, its files, mounts,
//! links, nftables elements and control groups. Ids are left out, since each round has others; how many there are is not.

use anyhow::{Result, bail};
use davit_e2e::World;
use davit_fixtures::{leftovers, process::until};
use rusqlite::{Connection, OpenFlags};
use std::{fs, path::Path, process::Command, time::Duration};

/// What was there at a moment, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot(Vec<String>);

impl Snapshot {
    pub(crate) fn of(world: &World) -> Result<Self> {
        let (data, run) = (world.daemon.data_root(), world.daemon.exec_root());
        let Some(tag) = leftovers::tag(&data) else { bail!("the daemon has no tag") };
        let mut lines = rows(&data.join("davit.db"))?;
        for dir in ["content/sha256", "content/ingest"] {
            lines.extend(names(&data.join(dir)).into_iter().map(|name| format!("{dir}/{name}")));
        }
        for dir in ["areas/overlay", "areas/overlay/.trash", "containers", "volumes"] {
            lines.extend(names(&data.join(dir)).into_iter().map(|name| format!("{dir}/{name}")));
        }
        for dir in ["", "containers", "zones"] {
            lines.extend(names(&run.join(dir)).into_iter().map(|name| format!("run/{dir}/{name}")));
        }
        // Processes come and go with the daemon; they are looked at when it has ended.
        let found = leftovers::of(&tag, world.daemon.dir());
        lines.extend(found.into_iter().filter(|l| !l.starts_with("process ")));
        let table = Command::new("nft").args(["list", "table", "inet", &format!("davit-{tag}")]).output()?;
        lines.extend(String::from_utf8_lossy(&table.stdout).lines().map(str::to_owned));
        let mut lines: Vec<String> = lines.iter().map(|line| without_ids(line, &tag)).collect();
        lines.sort();
        Ok(Self(lines))
    }

    /// What is there once nothing changes any more.
    pub(crate) fn settled(world: &World) -> Result<Self> {
        let mut last = Self::of(world)?;
        until(Duration::from_secs(15), "nothing changes any more", || {
            std::thread::sleep(Duration::from_millis(40));
            let now = Self::of(world)?;
            let same = now == last;
            last = now;
            Ok(same.then(|| last.clone()))
        })
    }

    /// What is too much here and what is missing, in words.
    pub(crate) fn against(&self, other: &Self) -> String {
        let but = |all: &[String], without: &[String]| {
            let mut rest = without.to_vec();
            let more = |line: &&String| match rest.iter().position(|r| r == *line) {
                Some(at) => {
                    rest.remove(at);
                    false
                }
                None => true,
            };
            all.iter().filter(more).cloned().collect::<Vec<_>>()
        };
        format!("left over: {:?}, missing: {:?}", but(&self.0, &other.0), but(&other.0, &self.0))
    }
}

/// How many rows each table has.
fn rows(path: &Path) -> Result<Vec<String>> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(Duration::from_secs(5))?;
    let mut tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let tables = tables.query_map([], |r| r.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let count = |table: String| {
        let rows: i64 = db.query_row(&format!("SELECT count(*) FROM \"{table}\""), [], |r| r.get(0))?;
        Ok(format!("{rows} rows in {table}"))
    };
    tables.into_iter().map(count).collect()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

/// Six hex digits or more are an id, and so is what follows the tag in the name of a link.
fn without_ids(text: &str, tag: &str) -> String {
    let (mut out, mut word, mut follows_tag) = (String::new(), String::new(), false);
    for c in text.chars().map(Some).chain([None]) {
        match c {
            Some(c) if c.is_ascii_alphanumeric() => word.push(c),
            other => {
                let digits = word.len() >= 6 && word.bytes().all(|b| b.is_ascii_hexdigit());
                out.push_str(if digits || follows_tag { "ID" } else { &word });
                follows_tag = other == Some('-') && word.ends_with(tag);
                word.clear();
                out.extend(other);
            }
        }
    }
    out
}
