//! `cargo xtask test-v2`: the runtime's tests, and those of quotas, on a machine with nothing but cgroup v2 and Debian's own
//! 6.1 kernel.
//!
//! A guest under qemu, without hardware support: the kernel is unpacked from Debian's package (never installed) and kept
//! in the target folder; the root is memory, with busybox, the compiled test binaries at the paths that they have here,
//! and the libraries that they want. The guest runs them and says on its serial line how each ended.

use crate::{build, command, workspace};
use anyhow::{Context as _, Result, bail};
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

/// From power on to power off.
const LIMIT: Duration = Duration::from_secs(290);

/// With everything.
const WHOLE: Duration = Duration::from_secs(400);
/// The runtime's tests of images among layers; here they go through loop devices.
const IMAGES: &str = "images";

/// Modules that the tests need, each after what it needs itself. One that is built into the kernel has no file.
const MODULES: [&str; 13] = [
    "llc",
    "stp",
    "bridge",
    "veth",
    "overlay",
    "libcrc32c",
    "loop",
    "erofs",
    "quota_tree",
    "quota_v2",
    "xfs",
    "nfnetlink",
    "nf_tables",
];

/// Programs of this machine that the tests start there.
const PROGRAMS: [&str; 3] = ["/usr/bin/mkfs.erofs", "/usr/sbin/mkfs.ext4", "/usr/sbin/mkfs.xfs"];

/// The store's tests that only such a kernel can pass.
const OF_THE_STORE: &str = "quota_tests";

/// The whole engine's, likewise; it starts the programs that were copied for the tests.
const OF_THE_ENGINE: &str = "root_size";

/// What is run.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Only tests whose name contains this.
    pub(crate) filter: Option<String>,
    /// For the ordinary suite: without what would take it past three minutes.
    #[arg(skip)]
    pub(crate) brief: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let place = workspace::target_dir()?.join("guest");
    fs::create_dir_all(&place).with_context(|| format!("cannot make the folder {}", place.display()))?;
    let kernel = Kernel::unpacked(&place)?;
    let mut binaries = test_binaries()?;
    if options.brief {
        binaries
            .tests
            .retain(|(binary, own)| own.is_empty() && ![IMAGES, OF_THE_ENGINE].iter().any(|n| is_of(binary, n)));
    } else {
        binaries.programs.extend(engine()?);
    }
    let memory = packed(&place, &kernel, &binaries, options.filter.as_deref().unwrap_or_default())?;
    let limit = if options.brief { LIMIT } else { WHOLE };
    boot(&kernel.image, &memory, binaries.tests.len(), limit)
}

/// Debian's kernel, unpacked.
struct Kernel {
    image: PathBuf,
    release: String,
    root: PathBuf,
}

impl Kernel {
    fn unpacked(place: &Path) -> Result<Self> {
        let depends = command::output(Command::new("apt-cache").args(["depends", "linux-image-cloud-amd64"]))?;
        let package = depends.lines().find_map(|l| l.trim().strip_prefix("Depends: "));
        let package = package.context("apt-cache knows no linux-image-cloud-amd64: run apt-get update")?;
        let release = package.trim_start_matches("linux-image-").to_owned();
        if !release.starts_with("6.1.") {
            bail!("the guest wants Debian 12's own 6.1 kernel, and this machine's packages bring {release}");
        }
        let root = place.join(&release);
        let image = root.join(format!("boot/vmlinuz-{release}"));
        if !image.exists() {
            command::step(&format!("unpacking {package} into {}", place.display()));
            let mut download = Command::new("apt-get");
            download.args(["-qq", "-o", "APT::Sandbox::User=root", "download", package]).current_dir(place);
            command::run(&mut download, "a package mirror that answers is needed")?;
            let archives: Vec<PathBuf> =
                listed(place)?.into_iter().filter(|p| p.extension().is_some_and(|e| e == "deb")).collect();
            for archive in &archives {
                command::run(
                    Command::new("dpkg").arg("-x").arg(archive).arg(&root),
                    "the package is damaged: remove it",
                )?;
                fs::remove_file(archive)?;
            }
        }
        Ok(Self { image, release, root })
    }

    /// The files of [`MODULES`], in that order.
    fn modules(&self) -> Result<Vec<PathBuf>> {
        let mut found = vec![None; MODULES.len()];
        let mut folders = vec![self.root.join("lib/modules").join(&self.release).join("kernel")];
        while let Some(folder) = folders.pop() {
            for path in listed(&folder)? {
                if path.is_dir() {
                    folders.push(path);
                } else if let Some(at) =
                    MODULES.iter().position(|m| path.file_name().is_some_and(|n| n == format!("{m}.ko").as_str()))
                    && let Some(slot) = found.get_mut(at)
                {
                    *slot = Some(path);
                }
            }
        }
        Ok(found.into_iter().flatten().collect())
    }
}

/// Whether a test binary is of the file of that name.
fn is_of(binary: &Path, name: &str) -> bool {
    let file = binary.file_name().map(|f| f.to_string_lossy().into_owned()).unwrap_or_default();
    file.rsplit_once('-').is_some_and(|(stem, _)| stem == name)
}

fn listed(dir: &Path) -> Result<Vec<PathBuf>> {
    fs::read_dir(dir)?.map(|e| Ok(e?.path())).collect()
}

/// The test binaries, each with what all names of its tests that run contain; and the programs that they start.
struct Binaries {
    tests: Vec<(PathBuf, &'static str)>,
    programs: Vec<PathBuf>,
}

fn test_binaries() -> Result<Binaries> {
    command::step("compiling the runtime's tests");
    let mut cargo = Command::new(workspace::cargo());
    // Everything, though the runtime's are wanted alone: with a selection of its own they would be compiled once more, with
    // most of what they depend on. After the tests of this machine all of it is there.
    cargo.args(["test", "--release", "--no-run", "--message-format=json"]);
    let messages = command::output(cargo.current_dir(workspace::root()?))?;
    let mut binaries = Binaries { tests: Vec::new(), programs: Vec::new() };
    for line in messages.lines() {
        let message: serde_json::Value = serde_json::from_str(line).context("cargo said something that is no JSON")?;
        let Some(path) = message.get("executable").and_then(|p| p.as_str()) else { continue };
        let manifest = message.get("manifest_path").and_then(|p| p.as_str()).unwrap_or_default();
        let test = message.pointer("/profile/test").and_then(serde_json::Value::as_bool).unwrap_or(false);
        let own = manifest.rsplit_once("/core/").or_else(|| manifest.rsplit_once("/tests/"));
        match (own.map(|(_, own)| own), test) {
            (Some("e2e/Cargo.toml"), true) if is_of(Path::new(path), OF_THE_ENGINE) => {
                binaries.tests.push((path.into(), ""));
            }
            (Some("runtime/Cargo.toml"), true) => binaries.tests.push((path.into(), "")),
            (Some("runtime/Cargo.toml"), false) => binaries.programs.push(path.into()),
            (Some("store/Cargo.toml"), true) => binaries.tests.push((path.into(), OF_THE_STORE)),
            _ => {}
        }
    }
    Ok(binaries)
}

/// The programs, with the components that they find beside them.
fn engine() -> Result<Vec<PathBuf>> {
    let programs = build::tested()?;
    let plugins = ["overlay", "docker-config", "none"].map(|name| format!("plugins/{name}.wasm"));
    let names = ["davit", "davitd", "davit-runtime"].map(str::to_owned).into_iter().chain(plugins);
    Ok(names.map(|name| programs.join(name)).collect())
}

/// The guest's memory image.
fn packed(place: &Path, kernel: &Kernel, binaries: &Binaries, filter: &str) -> Result<PathBuf> {
    let root = place.join("root");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    for dir in ["bin", "proc", "sys", "dev", "tmp", "run", "etc", "new", "modules"] {
        fs::create_dir_all(root.join(dir))?;
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).context("cannot copy busybox: install busybox-static")?;
    let mut libraries = BTreeSet::new();
    let programs = PROGRAMS.map(PathBuf::from);
    let tests = binaries.tests.iter().map(|(binary, _)| binary);
    for binary in tests.chain(&binaries.programs).chain(&programs) {
        put(binary, &root)?;
        libraries.extend(libraries_of(binary)?);
    }
    for library in &libraries {
        put(library, &root)?;
    }
    let mut order = Vec::new();
    for file in kernel.modules()? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        fs::copy(&file, root.join("modules").join(&name))?;
        order.push(name);
    }
    // A shell's single quotes: nothing in them has a meaning.
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    fs::write(root.join("etc/modules"), order.join("\n") + "\n")?;
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n")?;
    fs::write(root.join("etc/group"), "root:x:0:\n")?;
    let line = |(binary, own): &(PathBuf, &str)| {
        // The runner takes one filter: where both are said, the longer one that holds the other.
        let filter = if own.is_empty() || filter.contains(own) { filter } else { own };
        format!("run {} {}\n", quoted(&binary.to_string_lossy()), quoted(filter))
    };
    let tests: String = binaries.tests.iter().map(line).collect();
    script(&root.join("init"), include_str!("guest/init.sh"))?;
    let programs = quoted(&workspace::target_dir()?.join("tested").display().to_string());
    let text = include_str!("guest/tests.sh").replace("@TESTS@\n", &tests).replace("@PROGRAMS@", &programs);
    script(&root.join("tests.sh"), &text)?;

    let image = place.join("root.cpio");
    let mut pack = Command::new("sh");
    pack.args(["-c", "find . | cpio --quiet -o -H newc > \"$0\""]).arg(&image).current_dir(&root);
    command::run(&mut pack, "install cpio")?;
    Ok(image)
}

fn script(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Copies a file to the path in the guest that it has here; links are followed to the file and kept as links.
fn put(file: &Path, root: &Path) -> Result<()> {
    let real = fs::canonicalize(file).with_context(|| format!("cannot find {}", file.display()))?;
    let place = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
    for path in [&real, file] {
        if let Some(dir) = place(path).parent() {
            fs::create_dir_all(dir)?;
        }
    }
    if !place(&real).exists() {
        fs::copy(&real, place(&real)).with_context(|| format!("cannot copy {}", real.display()))?;
    }
    if real != file && !place(file).exists() {
        symlink(&real, place(file))?;
    }
    Ok(())
}

/// Shared libraries and the loader, by `ldd`; none for a static program.
fn libraries_of(binary: &Path) -> Result<Vec<PathBuf>> {
    let out = Command::new("ldd").arg(binary).output().context("cannot start ldd")?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    Ok(text.split_whitespace().filter(|w| w.starts_with('/')).map(PathBuf::from).collect())
}

/// Boots, passes the guest's words on, and judges them.
fn boot(kernel: &Path, memory: &Path, binaries: usize, limit: Duration) -> Result<()> {
    command::step("booting the guest (cgroup v2 only)");
    let start = Instant::now();
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-M", "q35", "-accel", "tcg,thread=single", "-cpu", "max", "-m", "1536", "-smp", "2"]);
    qemu.args(["-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio"]);
    qemu.arg("-kernel").arg(kernel).arg("-initrd").arg(memory);
    qemu.args(["-append", "console=ttyS0 quiet panic=-1 rdinit=/init"]);
    let mut guest = qemu
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start qemu: install qemu-system-x86")?;
    let serial = guest.stdout.take().context("qemu has no standard output")?;
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(serial).split(b'\n').map_while(Result::ok) {
            if tell.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                return;
            }
        }
    });
    let verdict = listen(&told, start, limit, binaries);
    let _ = guest.kill();
    guest.wait()?;
    verdict?;
    command::step(&format!("the guest was up for {:.0} s", start.elapsed().as_secs_f64()));
    Ok(())
}

fn listen(told: &mpsc::Receiver<String>, start: Instant, limit: Duration, binaries: usize) -> Result<()> {
    let mut failed = Vec::new();
    let mut ended = 0;
    loop {
        let left = limit.saturating_sub(start.elapsed());
        let line = match told.recv_timeout(left) {
            Ok(line) => line,
            Err(mpsc::RecvTimeoutError::Timeout) => bail!("the guest was not done after {} s", limit.as_secs()),
            Err(mpsc::RecvTimeoutError::Disconnected) => bail!("the guest went down before its tests were through"),
        };
        println!("    | {line}");
        match line.split_once(' ') {
            Some(("GUEST-END", rest)) => {
                ended += 1;
                if !rest.ends_with(" 0") {
                    failed.push(rest.to_owned());
                }
            }
            _ if line == "GUEST-DONE" => break,
            _ => {}
        }
    }
    if ended != binaries || ended == 0 {
        bail!("the guest ran {ended} of {binaries} test binaries");
    }
    if !failed.is_empty() {
        bail!("failed in the guest (binary, exit status): {}", failed.join(", "));
    }
    Ok(())
}
