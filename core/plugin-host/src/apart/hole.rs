//! A hole that was planted for a test: somebody has broken out of a component and runs as the host process. What he tries
//! comes to nothing, and the test has it in writing. Nothing of it is in a build without the feature `planted-hole`.

use super::{proxy::Proxy, wire::Call};
use crate::question::{LifecycleCall, Question, Reply};
use davit_model::{
    error::PolicyError,
    lifecycle::Adjustment,
    services::{HostServices as _, HttpRequest},
    state::{StateWrite, StateWrites},
};
use std::{collections::BTreeMap, fs, io, net, os::unix::net::UnixStream, process::Command};

/// The label of a request that opens the hole.
const OPENS: &str = "davit.test.hole";

/// What a taken-over process answers to a call that opens the hole: for `mutate` more than its grant, for `admit` a refusal
/// that says what it tried and how far it came.
pub(super) async fn taken_over(call: &Call, proxy: &Proxy) -> Option<Result<Reply, PolicyError>> {
    let Call::Ask(question) = call else { return None };
    match question.as_ref() {
        Question::Lifecycle(LifecycleCall::Mutate { operation }) => {
            let wanted = operation.labels.get(OPENS)?;
            let all = Adjustment { path: wanted.clone(), value: serde_json::json!(true) };
            wanted.starts_with('/').then(|| Ok(Reply::Adjustments(vec![all])))
        }
        Question::Lifecycle(LifecycleCall::Admit { operation }) => {
            let daemon = operation.labels.get(OPENS).filter(|wanted| !wanted.starts_with('/'))?;
            let mut tried = kernel(daemon);
            tried.extend(services(proxy).await);
            Some(Err(PolicyError::Denied(serde_json::to_string(&tried).unwrap_or_default())))
        }
        _ => None,
    }
}

type Tried = BTreeMap<&'static str, String>;

fn told<T>(outcome: io::Result<T>) -> String {
    match outcome {
        Ok(_) => "done".to_owned(),
        Err(e) => e.raw_os_error().map_or_else(|| e.kind().to_string(), |errno| format!("errno {errno}")),
    }
}

/// What the kernel says to somebody who wants out; `daemon` is its process id.
fn kernel(daemon: &str) -> Tried {
    let daemon: i32 = daemon.parse().unwrap_or(1);
    let pid = |number| rustix::process::Pid::from_raw(number).unwrap_or(rustix::process::Pid::INIT);
    let signal = rustix::process::Signal::KILL;
    let (uid, none) = (rustix::thread::Uid::from_raw(0), rustix::net::SocketFlags::empty());
    let netlink =
        rustix::net::socket_with(rustix::net::AddressFamily::NETLINK, rustix::net::SocketType::RAW, none, None);
    BTreeMap::from([
        ("read a file", told(fs::read("/etc/passwd"))),
        ("list the root", told(fs::read_dir("/"))),
        ("write a file", told(fs::write("/tmp/hole", "x"))),
        ("open a device", told(fs::File::open("/dev/null"))),
        ("connect to the world", told(net::TcpStream::connect("127.0.0.1:1"))),
        ("listen", told(net::TcpListener::bind("127.0.0.1:0"))),
        ("connect to a socket", told(UnixStream::connect("/run/davit/davit.sock"))),
        ("speak netlink", told(netlink.map_err(Into::into))),
        ("run a program", told(Command::new("/proc/self/exe").spawn())),
        ("kill the daemon", told(rustix::process::kill_process(pid(daemon), signal).map_err(Into::into))),
        ("kill everybody", told(rustix::process::kill_process_group(pid(1), signal).map_err(Into::into))),
        ("become root", told(rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(Into::into))),
        (
            "mount",
            told(
                rustix::mount::mount("none", "/", "tmpfs", rustix::mount::MountFlags::empty(), None)
                    .map_err(Into::into),
            ),
        ),
        ("make namespaces", told(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER).map_err(Into::into))),
        ("control a device", told(rustix::io::ioctl_fionread(rustix::stdio::stdin()).map_err(Into::into))),
        ("leave the root", told(rustix::process::chroot("..").map_err(Into::into))),
    ])
}

/// What the daemon says to somebody who asks for what was never granted.
async fn services(proxy: &Proxy) -> Tried {
    let said = |outcome: Result<(), PolicyError>| match outcome {
        Ok(()) => "done".to_owned(),
        Err(e) => e.to_string(),
    };
    let request = HttpRequest {
        method: "GET".to_owned(),
        url: "http://169.254.169.254/latest/meta-data".to_owned(),
        headers: Vec::new(),
        authorization: None,
        body: None,
        content_type: None,
        max_body: 1 << 20,
        timeout_ms: 1000,
        allow_link_local: true,
    };
    let write = StateWrite { key: "k".to_owned(), expected: None, new: Some(b"x".to_vec()) };
    let writes = StateWrites { plugin: "another".to_owned(), writes: vec![write] };
    BTreeMap::from([
        ("ask for a secret", said(proxy.secret("p", "key").await.map(drop))),
        ("ask for a credential", said(proxy.stored_credential("p", "registry.example").await.map(drop))),
        ("ask for the web", said(proxy.http("p", request).await.map(drop))),
        ("ask for another's state", said(proxy.state_get("another", "k").await.map(drop))),
        ("write another's state", said(proxy.state_commit(&writes).await)),
    ])
}
