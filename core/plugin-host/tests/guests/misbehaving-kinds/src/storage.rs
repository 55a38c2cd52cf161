//! A storage driver whose plans leave its area wherever a plan has a name.

use crate::{behave, only_well, unknown};
use davit_plugin_sdk::{
    host::clock,
    storage::{Facts, Layer, Reconcile, Released, Result, Root, Steps, StorageDriver, Unpack, Usage},
};

struct Storage;

/// What is no name beneath the driver's own area, or would be two words of a mount's options.
const OUTSIDE: [&str; 14] = [
    "",
    ".",
    "..",
    "../t-other",
    "/",
    "/etc",
    "a/b",
    "a/../../b",
    "a,upperdir=b",
    "a:b",
    "-a",
    ".hidden",
    "a b",
    "a\0b",
];

/// Tries every step with every name outside, and goes on as if nobody had refused.
fn insist_on_steps(steps: &Steps) {
    for bad in OUTSIDE {
        let refused = [
            steps.make_dir(bad),
            steps.clone_tree(bad, "x"),
            steps.clone_tree("x", bad),
            steps.subvolume(bad),
            steps.snapshot(bad, "x"),
            steps.snapshot("x", bad),
            steps.make_image(bad, "x", "erofs"),
            steps.make_image("x", bad, "erofs"),
            steps.make_image("x", "y", bad),
            steps.rename(bad, "x"),
            steps.rename("x", bad),
            steps.quota(bad, 1),
            steps.discard(bad),
        ];
        drop(refused);
    }
}

fn insist_on_root(root: &Root) {
    for bad in OUTSIDE {
        let refused = [
            root.overlay(&lower(bad), None, None),
            root.overlay(&lower("a"), Some(bad), Some("w")),
            root.overlay(&lower("a"), Some("u"), Some(bad)),
            root.tree(bad, true),
            root.image(bad, "erofs"),
            root.image("a", bad),
            root.changes_in(bad, "overlay"),
            root.changes_in("a", bad),
        ];
        drop(refused);
    }
}

fn lower(name: &str) -> [String; 1] {
    [name.to_owned()]
}

/// Where a layer is written, and where it is kept.
fn part(layer: &Layer) -> String {
    format!("part-{}", layer.chain_id())
}

fn kept(layer: &Layer) -> String {
    format!("layer-{}", layer.chain_id())
}

impl StorageDriver for Storage {
    fn probe(_: &Facts) -> Result<()> {
        behave(only_well(()))
    }

    fn prepare_layer(layer: &Layer, steps: &Steps, unpack: &Unpack) -> Result<()> {
        let into = |at: &str| {
            steps.make_dir(at)?;
            unpack.into(at)
        };
        let well = || into(&part(layer));
        behave(|name| match name {
            "behave" => well(),
            "undeterred-layer" => {
                insist_on_steps(steps);
                for bad in OUTSIDE {
                    drop((unpack.into(bad), unpack.whiteouts(bad)));
                }
                well()
            }
            "another-plan-each-time" => into(&format!("part-{}", clock::monotonic_ns())),
            "dir-above" => steps.make_dir("../t-other"),
            "copy-of-the-host" => steps.clone_tree("/etc", "part"),
            "copy-to-the-host" => steps.clone_tree("part", "/etc"),
            "subvolume-deeper" => steps.subvolume("a/b"),
            "snapshot-of-another-area" => steps.snapshot("../other/t-1", "part"),
            "file-image-of-the-host" => steps.make_image("/", "part", "erofs"),
            "file-image-with-options" => steps.make_image("part", "image", "erofs,loop=/dev/sda"),
            "rename-to-another-area" => steps.rename("part", "../other/part"),
            "quota-of-the-host" => steps.quota("/", 1),
            "unpack-into-the-host" => unpack.into("/"),
            "unpack-twice" => well().and_then(|()| unpack.into("again")),
            "unpack-nowhere" => steps.make_dir("part"),
            "whiteouts-with-options" => unpack.whiteouts("overlay,upperdir=/etc"),
            "million-steps" => (0..1_000_000).try_for_each(|_| steps.make_dir("part")),
            other => unknown(other),
        })
    }

    fn commit_layer(layer: &Layer, steps: &Steps) -> Result<String> {
        behave(|name| match name {
            "behave" => steps.rename(&part(layer), &kept(layer)).map(|()| kept(layer)),
            "place-of-another-layer" => steps.rename(&part(layer), "done").map(|()| "done".to_owned()),
            "place-above" => Ok("../t-other".to_owned()),
            "place-of-the-host" => Ok("/etc".to_owned()),
            "place-with-a-comma" => Ok("done,upperdir=b".to_owned()),
            "oversized-place" => Ok("x".repeat(3 << 20)),
            other => unknown(other),
        })
    }

    fn prepare_root(id: &str, top: Option<&Layer>, steps: &Steps, root: &Root) -> Result<()> {
        let well = || {
            let own = format!("root-{id}");
            match top.and_then(Layer::place) {
                Some(place) => steps.clone_tree(&place, &own)?,
                None => steps.make_dir(&own)?,
            }
            root.tree(&own, true)
        };
        let deep = || (0..257).map(|n| format!("l{n}")).collect::<Vec<_>>();
        behave(|name| match name {
            "behave" => well(),
            "undeterred-root" => {
                insist_on_steps(steps);
                insist_on_root(root);
                well()
            }
            "overlay-with-a-comma" => root.overlay(&lower("a,upperdir=b"), None, None),
            "overlay-with-a-colon" => root.overlay(&lower("a:b"), None, None),
            "overlay-of-the-host" => root.overlay(&lower("/"), None, None),
            "overlay-onto-another" => root.overlay(&lower("a"), Some("../r-other"), Some("w")),
            "overlay-work-of-the-host" => root.overlay(&lower("a"), Some("u"), Some("/tmp")),
            "overlay-halved" => root.overlay(&lower("a"), Some("u"), None),
            "overlay-too-deep" => root.overlay(&deep(), None, None),
            "tree-of-the-host" => root.tree("/", true),
            "image-of-the-host" => root.image("/dev/sda", "erofs"),
            "image-with-options" => root.image("a", "erofs,device=/dev/sda"),
            "changes-of-another" => root.changes_in("../r-other", "overlay"),
            "two-roots" => well().and_then(|()| root.tree("again", true)),
            "no-root" => steps.make_dir("root"),
            other => unknown(other),
        })
    }

    fn promote(id: &str, layer: &Layer, steps: &Steps) -> Result<String> {
        behave(|name| match name {
            "behave" => steps.rename(&format!("root-{id}"), &kept(layer)).map(|()| kept(layer)),
            "promote-to-another-area" => Ok("../other/t-1".to_owned()),
            other => unknown(other),
        })
    }

    fn remove_layer(layer: &Layer, steps: &Steps) -> Result<()> {
        behave(|name| match name {
            "behave" => steps.discard(&kept(layer)),
            "discard-the-host" => steps.discard("/"),
            "discard-the-area" => steps.discard("."),
            other => unknown(other),
        })
    }
}

impl Usage for Storage {
    fn usage(_: &Layer) -> Result<Option<u64>> {
        behave(only_well(None))
    }
}

impl Reconcile for Storage {
    fn reconcile(_: &[String]) -> Result<Vec<String>> {
        behave(|name| match name {
            "behave" => Ok(Vec::new()),
            "keep-above" => Ok(vec!["../t-other".to_owned()]),
            "keep-without-end" => Ok(vec!["x".to_owned(); 300_000]),
            other => unknown(other),
        })
    }
}

impl Released for Storage {
    fn released(_: &str, _: &str) -> Result<()> {
        behave(only_well(()))
    }
}

davit_plugin_sdk::export!(storage: Storage, usage, reconcile, released);
