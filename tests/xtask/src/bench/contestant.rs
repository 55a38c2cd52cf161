//! Who is measured: a program with its first words, here or in the peers' root, timed the same way.

use crate::peers::Room;
use anyhow::{Context as _, Result, bail};
use std::{
    fs::File,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// A program that is measured.
#[derive(Debug)]
pub(super) struct Contestant<'a> {
    /// With its version, as it is printed.
    pub(super) name: String,
    /// What stands for the image.
    pub(super) image: String,
    /// In the peers' root, or here.
    pub(super) room: Option<&'a Room>,
    /// The program and its words before the verb.
    pub(super) words: Vec<String>,
    /// What the environment says beside.
    pub(super) environment: Vec<(String, String)>,
    /// Where its errors go, so that no pipe is waited for; as seen from where it runs.
    pub(super) errors: PathBuf,
}

impl Contestant<'_> {
    /// Runs it to its end, with `IMAGE` standing for its image, and says how long it took.
    pub(super) fn time(&self, words: &[&str]) -> Result<Duration> {
        let own = self.words.iter().cloned();
        let all: Vec<String> =
            own.chain(words.iter().map(|w| if *w == "IMAGE" { self.image.clone() } else { (*w).to_owned() })).collect();
        let (environment, errors) = (self.environment.clone(), self.errors.clone());
        match self.room {
            Some(room) => room.within(move || {
                let all: Vec<&str> = all.iter().map(String::as_str).collect();
                timed(Room::command(&all), &errors)
            }),
            None => {
                let (program, words) = all.split_first().context("a contestant without a program")?;
                let mut command = Command::new(program);
                command.args(words).envs(environment);
                timed(command, &errors)
            }
        }
    }
}

fn timed(mut command: Command, errors: &PathBuf) -> Result<Duration> {
    let file = File::create(errors).with_context(|| format!("cannot make {}", errors.display()))?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
    let begun = Instant::now();
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    let took = begun.elapsed();
    if !status.success() {
        let said = std::fs::read_to_string(errors).unwrap_or_default();
        bail!("{command:?} ended with {status}: {}", said.trim());
    }
    Ok(took)
}
