//! Starting a container: streams, the clone, and the handing over of everything to init.

use super::attend::Attended;
use super::stdio;
use crate::failure::{Failure, Stage};
use crate::init::{self, Channel, Filter, Input, Surroundings};
use crate::launcher::request::{Request, Role, StreamKind};
use crate::log;
use crate::record::{self, ExitRecord, InitRecord};
use crate::report::Report;
use crate::socket;
use davit_sys::clone::{self, Cloned};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

pub(super) fn run(mut request: Request) -> io::Result<()> {
    let report = request.take(Role::Report).ok_or(io::ErrorKind::InvalidData)?;
    match make(&mut request, &report) {
        Ok(mut attended) => {
            attended.report = Some(report);
            attended.run()
        }
        Err(failure) => socket::send_json(report.as_fd(), &Report::Failed(failure), &[]),
    }
}

fn make(request: &mut Request, report: &OwnedFd) -> Result<Attended, Failure> {
    let io = |stage, what: &'static str| {
        move |e: io::Error| Failure {
            stage,
            message: format!("{what}: {}", crate::failure::reason(&e)),
            errno: e.raw_os_error(),
        }
    };
    let missing = |what: &str| Failure::new(Stage::Request, format!("the request has no {what}"));
    let spec = request.take(Role::Spec).ok_or_else(|| missing("specification"))?;
    let run_dir = request.take(Role::RunDir).ok_or_else(|| missing("run directory"))?;
    let log = request.take(Role::Log).ok_or_else(|| missing("log"))?;
    let log = log::Writer::new(File::from(log)).map_err(io(Stage::Streams, "take the log over"))?;

    let (ends, given) = match request.head.streams {
        StreamKind::Fifos => stdio::open_all(run_dir.as_fd(), false),
        StreamKind::FifosWithStdin => stdio::open_all(run_dir.as_fd(), true),
        StreamKind::Terminal | StreamKind::Given => Ok((stdio::Ends::default(), request.take_all(Role::Stdio))),
    }
    .map_err(io(Stage::Streams, "open FIFOs in the run directory"))?;
    let (channel, init_end) = Channel::pair().map_err(io(Stage::Clone, "make a socket pair"))?;
    let group = request.take(Role::CgroupV2);
    let surroundings = Surroundings::here().map_err(io(Stage::Namespace, "look at the monitor's namespaces"))?;

    match fork(request.head.clone_flags, group.as_ref()).map_err(io(Stage::Clone, "clone3 the first process"))? {
        Cloned::Child => {
            drop((channel, ends, run_dir, log, group));
            let seccomp = request.take(Role::Seccomp).map(|fd| Filter::decode(&read_all(fd)?)).transpose();
            let parsed = read_all(spec).and_then(|text| Ok(serde_json::from_slice(&text)?));
            let (spec, seccomp) = match (parsed, seccomp) {
                (Ok(spec), Ok(seccomp)) => (spec, seccomp),
                (Err(e), _) | (_, Err(e)) => {
                    let failure = Failure::new(Stage::Request, format!("read the specification: {e}"));
                    init_end.failed(&failure).ok();
                    davit_sys::exec::exit_now(failure.exit_code())
                }
            };
            let gate = report.try_clone().ok();
            init::run(Input {
                spec,
                area: request.take(Role::Area),
                netns: request.take(Role::Netns),
                stdio: given,
                cgroup_tasks: request.take_all(Role::Tasks),
                seccomp,
                channel: init_end,
                gate,
                surroundings,
            })
        }
        Cloned::Parent { pid, pidfd } => {
            // What only init needs is closed here with the request: namespaces and areas must not be held open.
            request.fds.clear();
            drop((spec, given, init_end));
            let init = InitRecord::of(pid).map_err(io(Stage::Clone, "look the first process up"))?;
            record::write_file(run_dir.as_fd(), record::INIT, &init)
                .map_err(io(Stage::Clone, "write the first process's record"))?;
            ExitRecord::reserve(run_dir.as_fd()).map_err(io(Stage::Clone, "make room for the exit record"))?;
            // An engine that is gone reads the run directory later.
            socket::send_json(report.as_fd(), &Report::Created { pid }, &[]).ok();
            let mut attended =
                Attended::new(pid, pidfd, run_dir, log, ends).map_err(io(Stage::Streams, "make the control socket"))?;
            attended.channel = Some(channel);
            Ok(attended)
        }
    }
}

pub(super) fn read_all(fd: OwnedFd) -> io::Result<Vec<u8>> {
    use std::io::Seek;
    let mut file = File::from(fd);
    file.rewind()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(text)
}

#[allow(unsafe_code, reason = "forks; the monitor has one thread")]
pub(super) fn fork(flags: u64, group: Option<&OwnedFd>) -> io::Result<Cloned> {
    // SAFETY: a monitor never starts a thread.
    unsafe { clone::clone3(flags, group.map(AsFd::as_fd)) }
}
