//! Volumes: what an empty one gets from the image, what a killed copy leaves, what a prune frees.

use anyhow::Result;
use davit_e2e::World;
use std::fs;

/// Name, owner and mode of a folder and of what is in it.
const LOOK: &str = "cd /www && for f in . $(ls -A); do stat -c '%n %u:%g %a' $f; done; stat -c '%u:%g %a' /tmp";

#[test]
fn an_empty_volume_gets_what_the_image_has_at_its_target() -> Result<()> {
    let mut world = World::start()?;
    world.pull()?;
    let context = tempfile::tempdir()?;
    let dockerfile = format!(
        "FROM {}\nCOPY --chown=7:8 --chmod=640 motd /www/motd\nCOPY --chown=9:9 motd /www/sub/motd\n",
        world.busybox
    );
    fs::write(context.path().join("Dockerfile"), dockerfile)?;
    fs::write(context.path().join("motd"), "hello\n")?;
    world.davit(&["build", "-q", "-t", "www:1", &context.path().display().to_string()])?.success()?;
    let look = |world: &World, options: &[&str]| -> Result<String> {
        let args = [&["run", "--rm"], options, &["www:1", "sh", "-c", LOOK]].concat();
        Ok(world.davit(&args)?.success()?.stdout)
    };
    let bare = look(&world, &[])?;
    assert!(bare.contains("motd 7:8 640\n") && bare.ends_with("0:0 1777\n"), "{bare}");
    assert_eq!(look(&world, &["-v", "filled:/www", "-v", "tmp:/tmp"])?, bare, "contents, owner and mode");
    let read = ["run", "--rm", "-v", "filled:/x", "IMAGE", "cat", "/x/motd", "/x/sub/motd"];
    assert_eq!(world.davit(&read)?.success()?.stdout, "hello\nhello\n");
    let bare_volumes = ["-v", "bare:/www:nocopy", "--mount", "type=volume,source=none,target=/tmp,volume-nocopy"];
    assert_eq!(look(&world, &bare_volumes)?, ". 0:0 755\n0:0 755\n");

    // What is in a volume stays, and nothing is added to it.
    let write = ["run", "--rm", "-v", "own:/data", "IMAGE", "sh", "-c", "echo mine > /data/own"];
    world.davit(&write)?.success()?;
    let own = look(&world, &["-v", "own:/www"])?;
    assert!(own.contains("\nown 0:0") && !own.contains("motd"), "{own}");

    // A daemon that was killed while it copied leaves the copy beside the data, and the data empty.
    let data = world.daemon.data_root();
    let killed = data.join("volumes/bare/filling-0000");
    fs::create_dir_all(killed.join("half"))?;
    let stranger = data.join("volumes/nobodys/_data");
    fs::create_dir_all(&stranger)?;
    world.daemon.kill()?;
    world.daemon.launch()?;
    assert!(!killed.exists() && !stranger.exists(), "the next daemon removes it");
    assert_eq!(look(&world, &["-v", "bare:/www"])?, bare, "and the next container fills it");
    world.daemon.finish()
}

#[test]
fn prunes_tell_what_they_freed() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let write = "dd if=/dev/zero of=/big bs=1024 count=2000 2>/dev/null";
    world.davit(&["run", "--name", "writer", "-l", "k=v", "IMAGE", "sh", "-c", write])?.success()?;
    world.davit(&["run", "--name", "other", "IMAGE", "true"])?.success()?;
    let listed = world.davit(&["ps", "-a", "-s", "--filter", "name=writer", "--format", "{{.Size}}"])?.success()?;
    assert!(listed.out().starts_with("2.05MB (virtual "), "{listed:?}");
    assert_eq!(world.davit(&["container", "prune"])?.code, 1, "nobody can be asked here");
    let pruned = world.davit(&["container", "prune", "-f", "--filter", "label=k=v"])?.success()?;
    assert!(pruned.out().ends_with("Total reclaimed space: 2.048MB"), "{pruned:?}");
    assert_eq!(world.davit(&["ps", "-aq"])?.success()?.stdout.lines().count(), 1, "the other has no such label");
    world.davit(&["container", "prune", "-f"])?.success()?;

    // A volume with a name goes only where all are asked for.
    for volume in ["named:/v", "/v"] {
        world
            .davit(&["run", "--name", "user", "-v", volume, "IMAGE", "sh", "-c", "echo 0123456789 > /v/f"])?
            .success()?;
        world.davit(&["rm", "user"])?.success()?;
    }
    assert_eq!(world.davit(&["volume", "ls", "-q"])?.success()?.stdout.lines().count(), 2);
    let place = world.davit(&["volume", "inspect", "-f", "{{.Mountpoint}}", "named"])?.success()?;
    assert_eq!(fs::read_to_string(format!("{}/f", place.out()))?, "0123456789\n");
    for args in [&["volume", "prune", "-f"][..], &["volume", "prune", "-a", "-f"]] {
        let pruned = world.davit(args)?.success()?;
        assert!(pruned.out().ends_with("Total reclaimed space: 11B"), "{pruned:?}");
    }
    assert_eq!(world.davit(&["volume", "rm", "named"])?.code, 1, "it is gone");
    assert_eq!(world.davit(&["volume", "create", "--label", "k=v", "named"])?.success()?.out(), "named");
    let listed = world.davit(&["volume", "ls", "--filter", "label=k=v", "--format", "{{.Name}} {{.Labels}}"])?;
    assert_eq!(listed.success()?.out(), "named k=v");
    world.davit(&["volume", "rm", "named"])?.success()?;

    // The two images have a layer in common, which goes with the last of them.
    let sizes = world.davit(&["images", "--format", "{{.Size}}"])?.success()?;
    assert_eq!(sizes.stdout.lines().count(), 2);
    let freed = |args: &[&str]| -> Result<String> {
        let done = world.davit(args)?.success()?;
        Ok(done.out().rsplit("space: ").next().unwrap_or_default().to_owned())
    };
    assert_eq!(freed(&["image", "prune", "-f"])?, "0B", "all have names");
    assert_ne!(freed(&["image", "prune", "-a", "-f"])?, "0B");
    assert_eq!(world.davit(&["images", "-q"])?.success()?.out(), "");
    world.daemon.finish()
}
