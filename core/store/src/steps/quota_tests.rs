//! Limits on real file systems with project quotas, where the kernel has them.

use super::*;
use crate::{
    Store, StoreError,
    testing::{Quotas, limiting, skipped},
};
use davit_model::{state::StateWrites, storage::Place};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use std::{
    fs, io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

/// The disk is last: what is on it is closed before.
struct Fixture {
    store: Store,
    area: Area,
    disk: Quotas,
}

/// A container's folders with a limit.
fn folders(id: &str, bytes: u64) -> Vec<StorageStep> {
    let (upper, work) = (place(&format!("upper-{id}")), place(&format!("work-{id}")));
    vec![
        StorageStep::MakeDir { at: upper.clone() },
        StorageStep::Quota { at: upper, bytes },
        StorageStep::MakeDir { at: work.clone() },
        StorageStep::Quota { at: work, bytes },
    ]
}

impl Fixture {
    fn new(format: &str) -> Option<Self> {
        let disk = Quotas::new(format)?;
        let store = Store::open(&disk.path().join("data")).unwrap();
        let area = store.area(limiting().as_ref()).unwrap();
        Some(Self { store, area, disk })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.disk.path().join("data/areas/limiting").join(name)
    }

    fn project(&self, name: &str) -> u32 {
        davit_sys::quota::project(fs::File::open(self.path(name)).unwrap().as_fd()).unwrap()
    }

    fn is_used(&self, project: u32) -> bool {
        davit_sys::quota::is_used(self.area.fd(), project).unwrap()
    }

    /// xfs gives back what is removed a moment later.
    fn is_forgotten(&self, project: u32) -> bool {
        let begun = Instant::now();
        while self.is_used(project) && begun.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(20));
        }
        !self.is_used(project)
    }

    async fn begun(&self, owner: &str, steps: Vec<StorageStep>) -> Result<Task, StoreError> {
        Task::begin(&self.store, &self.area, owner.into(), steps, StateWrites::default()).await
    }

    async fn made(&self, owner: &str, steps: Vec<StorageStep>) {
        self.begun(owner, steps).await.unwrap().commit(crate::Durability::Normal, |_| Ok(())).await.unwrap();
    }
}

/// Writes as a container does: without the right that ext4 lets past its limits.
fn write(path: &Path, kib: usize) -> io::Result<()> {
    let path = path.to_owned();
    let unprivileged = move || {
        let mut sets = capabilities(None)?;
        sets.effective.remove(CapabilitySet::SYS_RESOURCE);
        set_capabilities(None, sets)?;
        let file = fs::File::create(path)?;
        io::copy(&mut io::Read::take(io::repeat(7), (kib as u64) << 10), &mut &file)?;
        file.sync_all()
    };
    thread::spawn(unprivileged).join().unwrap()
}

#[tokio::test]
async fn a_containers_folders_share_a_limit_that_holds_and_ends_with_them() {
    for format in ["ext4", "xfs"] {
        let Some(f) = Fixture::new(format) else {
            skipped(&format!("this kernel mounts no {format} with prjquota"));
            continue;
        };
        assert!(f.area.facts().unwrap().features.contains("quota"), "{format}");
        f.made("root:a", folders("a", 1 << 20)).await;
        f.made("root:b", folders("b", 8 << 20)).await;
        let (a, b) = (f.project("upper-a"), f.project("upper-b"));
        assert!(a != 0 && b != 0 && a != b, "{format}: {a} {b}");
        assert_eq!((f.project("work-a"), f.project("work-b")), (a, b), "{format}");

        write(&f.path("work-a").join("f"), 600).unwrap();
        fs::rename(f.path("work-a").join("f"), f.path("upper-a").join("f")).unwrap();
        let e = write(&f.path("upper-a").join("g"), 600).unwrap_err();
        assert!(matches!(e.kind(), io::ErrorKind::QuotaExceeded | io::ErrorKind::StorageFull), "{format}: {e}");
        write(&f.path("upper-b").join("g"), 4000).unwrap();

        for id in ["a", "b"] {
            let names = [format!("upper-{id}"), format!("work-{id}")];
            let steps = names.iter().map(|name| StorageStep::Discard { at: place(name) }).collect();
            f.made(&format!("root:{id}"), steps).await;
        }
        assert!(f.is_forgotten(a) && f.is_forgotten(b), "{format}: nothing is kept for them");
    }
}

#[tokio::test]
async fn a_limit_whose_plan_fails_is_ended_and_what_was_there_stays() {
    for format in ["ext4", "xfs"] {
        let Some(f) = Fixture::new(format) else {
            skipped(&format!("this kernel mounts no {format} with prjquota"));
            continue;
        };
        f.made("root:a", vec![StorageStep::MakeDir { at: place("old") }]).await;
        fs::create_dir(f.path("old").join("d")).unwrap();
        fs::write(f.path("old").join("d/f"), "kept").unwrap();
        let limit = |bytes| StorageStep::Quota { at: place("old"), bytes };
        let mut steps = vec![limit(1 << 20)];
        steps.push(StorageStep::Snapshot { src: place("old"), dst: place("impossible") });
        f.begun("root:a", steps).await.unwrap_err();
        assert_eq!((f.project("old"), f.project("old/d/f")), (0, 0), "{format}");

        // All that is there counts, and another number may be said later.
        f.made("root:a", vec![limit(1 << 20)]).await;
        let project = f.project("old");
        assert_eq!((f.project("old/d"), f.project("old/d/f")), (project, project), "{format}");
        assert!(project != 0 && f.is_used(project));
        write(&f.path("old/d/g"), 2000).unwrap_err();
        f.made("root:a", vec![limit(8 << 20)]).await;
        assert_eq!(f.project("old"), project, "{format}");
        write(&f.path("old/d/g"), 2000).unwrap();
        f.made("root:a", vec![StorageStep::Discard { at: place("old") }]).await;
        assert!(f.is_forgotten(project), "{format}");
    }
}
