//! `davit build`, and the docker command line's old builder, against a daemon: what is built runs.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::{World, run};
use davit_fixtures::image::busybox;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

const DOCKERFILE: &str = "FROM scratch AS tools
COPY busybox /bin/
FROM scratch
ARG greeting=nothing
COPY --from=tools /bin /bin
COPY --chmod=644 motd /etc/
COPY . /context/
ENV GREETING=$greeting
WORKDIR /srv/www
USER 1000:1000
ENTRYPOINT [\"/bin/busybox\"]
CMD [\"sh\", \"-c\", \"echo $GREETING; pwd; id -u; cat /etc/motd; ls /context\"]
";

/// A build context: busybox, a text, and what is ignored.
fn context(dir: &Path, dockerfile: &str) -> Result<()> {
    fs::copy(busybox()?, dir.join("busybox"))?;
    fs::set_permissions(dir.join("busybox"), fs::Permissions::from_mode(0o755))?;
    fs::write(dir.join("motd"), "welcome\n")?;
    fs::write(dir.join("secret"), "not for images")?;
    fs::write(dir.join(".dockerignore"), "secret\nDockerfile\n.dockerignore\n")?;
    fs::write(dir.join("Dockerfile"), dockerfile)?;
    Ok(())
}

#[test]
fn what_is_built_from_a_dockerfile_runs() -> Result<()> {
    let world = World::start()?;
    let dir = tempfile::tempdir()?;
    context(dir.path(), DOCKERFILE)?;
    let folder = dir.path().to_str().context("a path in UTF-8")?;
    let args = ["build", "-t", "built:1", "--build-arg", "greeting=hello", "--label", "a=b", folder];
    let done = world.davit(&args)?.success()?;
    ensure!(done.stdout.contains("Step 1/13 : FROM scratch AS tools\n"), "{}", done.stdout);
    ensure!(done.stdout.ends_with("Successfully tagged built:1\n"), "{}", done.stdout);
    let ran = world.davit(&["run", "--rm", "built:1"])?.success()?;
    assert_eq!(ran.stdout, "hello\n/srv/www\n1000\nwelcome\nbusybox\nmotd\n");
    let label = world.davit(&["inspect", "--format", "{{.Config.Labels.a}}", "built:1"])?.success()?;
    assert_eq!(label.out(), "b");
    // Again, and quiet: nothing has changed, so it is the same image.
    let quiet = ["build", "-q", "-t", "built:1", "--build-arg", "greeting=hello", "--label", "a=b", folder];
    let (first, second) = (world.davit(&quiet)?.success()?, world.davit(&quiet)?.success()?);
    assert_eq!(first.stdout, second.stdout);
    let id = world.davit(&["inspect", "--format", "{{.Id}}", "built:1"])?.success()?;
    assert_eq!(id.out(), first.out());
    Ok(())
}

#[test]
fn a_base_is_pulled_built_on_and_pushed() -> Result<()> {
    let world = World::start()?;
    let dir = tempfile::tempdir()?;
    let dockerfile = format!("FROM {}\nCOPY motd /etc/motd\nCMD cat /etc/motd\n", world.busybox);
    context(dir.path(), &dockerfile)?;
    let folder = dir.path().to_str().context("a path in UTF-8")?;
    let name = format!("{}/test/derived:1", world.registry.host);
    world.davit(&["build", "-q", "-t", &name, folder])?.success()?;
    assert_eq!(world.davit(&["run", "--rm", &name])?.success()?.out(), "welcome");
    world.davit(&["push", "-q", &name])?.success()?;
    world.davit(&["rmi", &name])?.success()?;
    assert_eq!(world.davit(&["run", "--rm", &name])?.success()?.out(), "welcome", "as the registry has it");
    Ok(())
}

#[test]
fn what_a_build_cannot_do_is_told_with_its_line() -> Result<()> {
    let world = World::start()?;
    let dir = tempfile::tempdir()?;
    let folder = dir.path().to_str().context("a path in UTF-8")?;
    for (dockerfile, said) in [
        ("FROM scratch\n\nRUN make\n", "Dockerfile:3: RUN is not supported yet: "),
        ("FROM scratch\nCOPY secret /\n", "Dockerfile:2: COPY failed: no such file in the build context: \"secret\""),
        ("FROM scratch\nCOPPY a /\n", "Dockerfile:2: unknown instruction: COPPY"),
    ] {
        context(dir.path(), dockerfile)?;
        let done = world.davit(&["build", "-t", "bad:1", folder])?;
        ensure!(done.code == 1 && done.stderr.contains(said), "{dockerfile}: {done:?}");
    }
    let images = world.davit(&["images", "-q"])?.success()?;
    assert_eq!(images.out(), "", "a build that failed leaves no image");
    Ok(())
}

#[test]
fn dockers_own_command_line_builds() -> Result<()> {
    if Command::new("docker").arg("--version").output().is_err() {
        eprintln!("skipped: the docker command line is not installed");
        return Ok(());
    }
    let world = World::start()?;
    let dir = tempfile::tempdir()?;
    context(dir.path(), DOCKERFILE)?;
    let docker = || {
        let mut command = Command::new("docker");
        command.arg("-H").arg(format!("unix://{}", world.daemon.socket().display()));
        command.env("DOCKER_BUILDKIT", "0").env("DOCKER_CONFIG", dir.path().join("none"));
        command
    };
    let mut build = docker();
    build.args(["build", "-t", "built:2", "--build-arg", "greeting=hi"]).arg(dir.path());
    let done = run(build, None)?.success()?;
    ensure!(done.stdout.contains("Successfully tagged built:2"), "{}", done.stdout);
    let mut ran = docker();
    ran.args(["run", "--rm", "built:2"]);
    assert_eq!(run(ran, None)?.success()?.stdout, "hi\n/srv/www\n1000\nwelcome\nbusybox\nmotd\n");
    let mut quiet = docker();
    quiet.args(["build", "-q", "-t", "built:2", "--build-arg", "greeting=hi"]).arg(dir.path());
    let quiet = run(quiet, None)?.success()?;
    ensure!(quiet.out().starts_with("sha256:") && quiet.out().len() == 71, "{quiet:?}");
    Ok(())
}
