//! Debian packages that the demo and the tests need: installed where they are missing, and nothing else is touched.

use crate::command;
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// A program, and the package that brings it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    program: &'static str,
    package: &'static str,
}

const fn need(program: &'static str, package: &'static str) -> Need {
    Need { program, package }
}

/// What the demo needs.
pub(crate) const DEMO: &[Need] = &[
    need("gcc", "build-essential"),
    need("docker-registry", "docker-registry"),
    need("htpasswd", "apache2-utils"),
    need("skopeo", "skopeo"),
    need("busybox", "busybox-static"),
    need("ip", "iproute2"),
    need("nft", "nftables"),
    need("curl", "curl"),
];

/// What the tests need beside it; from `make` on, what plugins in C, JavaScript and Python are built with.
pub(crate) const TESTS: &[Need] = &[
    need("mkfs.ext4", "e2fsprogs"),
    need("mkfs.btrfs", "btrfs-progs"),
    need("mkfs.erofs", "erofs-utils"),
    need("mkfs.xfs", "xfsprogs"),
    need("tar", "tar"),
    need("python3", "python3"),
    need("qemu-system-x86_64", "qemu-system-x86"),
    need("cpio", "cpio"),
    need("openssl", "openssl"),
    need("make", "make"),
    need("clang-14", "clang-14"),
    need("wasm-ld-14", "lld-14"),
    need("/usr/lib/wasm32-wasi/libc.a", "wasi-libc"),
    need("/usr/lib/clang/14/lib/wasi/libclang_rt.builtins-wasm32.a", "libclang-rt-14-dev-wasm32"),
    need("node", "nodejs"),
    need("npm", "npm"),
    need("/usr/lib/python3.11/ensurepip/__init__.py", "python3-venv"),
];

/// Network plugins of the other kind, to compare with. An absolute path is looked for as it is.
pub(crate) const CNI: &[Need] = &[need("/usr/lib/cni/host-local", "containernetworking-plugins")];

/// What making the peers' root needs.
pub(crate) const PEERS: &[Need] = &[need("debootstrap", "debootstrap")];

/// Installs what is missing.
pub(crate) fn install(needs: &[&[Need]]) -> Result<()> {
    let all = needs.iter().flat_map(|n| n.iter());
    let missing: Vec<&str> = all.filter(|n| !there(n.program)).map(|n| n.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !Path::new("/etc/debian_version").exists() {
        bail!("these programs are missing, and only Debian's packages are known here: install {}", missing.join(" "));
    }
    command::step(&format!("installing {}", missing.join(" ")));
    let mut update = Command::new("apt-get");
    command::run(update.args(["update", "-qq"]), "run as root, with a package mirror that answers")?;
    let guard = ServicesStayDown::put()?;
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing);
    install.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
    let installed = command::run(&mut install, "run as root, with a package mirror that answers");
    drop(guard);
    installed
}

/// Whether a program is on the path of root.
fn there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(Into::into);
    std::env::split_paths(&path).chain(system).any(|dir| dir.join(program).exists())
}

/// A package must not start its service (a registry on everybody's port): Debian asks `policy-rc.d`. One that is
/// there already is the machine's own, and stays.
struct ServicesStayDown(Option<&'static Path>);

impl ServicesStayDown {
    fn put() -> Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = Path::new("/usr/sbin/policy-rc.d");
        if path.exists() {
            return Ok(Self(None));
        }
        fs::write(path, "#!/bin/sh\nexit 101\n").with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        Ok(Self(Some(path)))
    }
}

impl Drop for ServicesStayDown {
    fn drop(&mut self) {
        if let Some(path) = self.0 {
            let _ = fs::remove_file(path);
        }
    }
}
