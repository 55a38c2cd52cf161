//! A log on a file system that is full: what could not be written is said in the log, and nothing else is harmed.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

use davit_runtime::log::{Reader, Record, Stream, Writer};
use std::{
    fs::{self, File},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::Command,
};

/// A small ext4 on a loop device; unmounted when dropped.
struct Small {
    _dir: tempfile::TempDir,
    at: PathBuf,
}

impl Small {
    /// None where there is no mkfs.ext4, which is said.
    fn mount() -> Option<Self> {
        if Command::new("mkfs.ext4").arg("-V").output().is_err() {
            eprintln!("skipped: there is no mkfs.ext4 here");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let (image, at) = (dir.path().join("image"), dir.path().join("mount"));
        File::create(&image).unwrap().set_len(2 << 20).unwrap();
        fs::create_dir(&at).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-m", "0", "-O", "^has_journal"]).arg(&image));
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at));
        Some(Self { _dir: dir, at })
    }

    /// Takes all the room there is; the answer: what to remove so that there is room again.
    fn fill(&self) -> PathBuf {
        let path = self.at.join("ballast");
        let mut file = File::create(&path).unwrap();
        while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        run(Command::new("umount").arg(&self.at));
    }
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

fn log_at(path: &Path) -> Writer {
    Writer::new(File::options().read(true).append(true).create(true).open(path).unwrap()).unwrap()
}

fn records(path: &Path) -> Vec<Record> {
    let mut reader = Reader::new(File::open(path).unwrap(), 0);
    std::iter::from_fn(|| reader.next_record().unwrap()).collect()
}

fn is_notice(record: &Record, bytes: &str) -> bool {
    let text = String::from_utf8_lossy(&record.payload);
    let begins = text.starts_with(&format!("davit: {bytes} bytes of output ("));
    record.stream == Stream::Stderr && begins && text.ends_with("no space left on device\n")
}

#[test]
fn output_that_a_full_disk_does_not_take_is_counted_in_its_place_once_there_is_room() {
    let Some(disk) = Small::mount() else { return };
    let path = disk.at.join("log");
    let mut writer = log_at(&path);
    writer.keep(Stream::Stdout, b"before");
    let ballast = disk.fill();
    for _ in 0..3 {
        writer.keep(Stream::Stdout, &[b'x'; 10_000]);
    }
    fs::remove_file(ballast).unwrap();
    writer.keep(Stream::Stdout, b"after");
    writer.finish();
    let told = records(&path);
    assert_eq!(told.first().unwrap().payload, b"before");
    assert!(told.iter().any(|r| is_notice(r, "10000") || is_notice(r, "20000") || is_notice(r, "30000")), "{told:?}");
    assert_eq!(told.last().unwrap().payload, b"after");
}

#[test]
fn a_disk_that_stays_full_to_the_end_gives_a_record_up_for_the_notice() {
    let Some(disk) = Small::mount() else { return };
    let path = disk.at.join("log");
    let mut writer = log_at(&path);
    disk.fill();
    for _ in 0..2000 {
        writer.keep(Stream::Stdout, &[b'x'; 1000]);
    }
    writer.finish();
    let told = records(&path);
    assert!(told.iter().any(|r| r.payload.starts_with(b"davit: ")), "nothing is said: {} records", told.len());
    let kept: usize = told.iter().filter(|r| r.stream == Stream::Stdout).map(|r| r.payload.len()).sum();
    let lost: usize = told.iter().filter(|r| r.stream == Stream::Stderr).map(|r| count(&r.payload)).sum();
    assert_eq!(kept + lost, 2000 * 1000, "every byte is there or counted");
}

#[test]
fn a_pipe_is_emptied_on_a_full_disk_and_what_it_held_is_there_or_counted() {
    let Some(disk) = Small::mount() else { return };
    let path = disk.at.join("log");
    let mut writer = log_at(&path);
    let (from, mut to) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&from, true).unwrap();
    let mut ballast = None;
    for round in 0..200 {
        match round {
            20 => ballast = Some(disk.fill()),
            150 => fs::remove_file(ballast.take().unwrap()).unwrap(),
            _ => {}
        }
        // More than the pipe holds, were it not emptied.
        std::io::Write::write_all(&mut to, &[b'x'; 10_001]).unwrap();
        while writer.take(from.as_fd(), Stream::Stdout) {}
    }
    writer.finish();
    let told = records(&path);
    let kept: usize = told.iter().filter(|r| r.stream == Stream::Stdout).map(|r| r.payload.len()).sum();
    let lost: usize = told.iter().filter(|r| r.stream == Stream::Stderr).map(|r| count(&r.payload)).sum();
    assert!(lost > 0, "the disk was never full");
    assert_eq!(kept + lost, 200 * 10_001, "every byte is there or counted");
}

/// The bytes that a notice counts.
fn count(notice: &[u8]) -> usize {
    String::from_utf8_lossy(notice).split(' ').nth(1).unwrap().parse().unwrap()
}
