//! Launcher and monitors: what is logged, what can be asked, and what goes on when one of them is killed.

mod bundle;

use bundle::{Bundle, Started, eventually, kill, launcher};
use davit_model::storage::RootMount;
use davit_runtime::ExecSpec;
use davit_runtime::launcher::client::{Control, ExecRequest};
use davit_runtime::log::Stream;
use davit_runtime::record::ExitRecord;
use davit_runtime::report::{Answer, Ask, Report};
use davit_runtime::spec::{OverlayTier, RootSource, Streams};
use davit_sys::pidfd;
use rustix::process::Signal;
use serde_json::json;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;

const PLAIN: Streams = Streams::Fifos { stdin: false };

#[test]
fn output_is_logged_by_stream_and_the_record_is_there_when_the_end_is_told() {
    let bundle = Bundle::new("echo out; sleep 0.1; echo err >&2; exit 4");
    let launcher = launcher();
    let started = Started::start(&launcher, &bundle.launch_spec(PLAIN), None).unwrap();
    let told = started.exit();
    assert_eq!((told.status, told.signal), (4, None));
    assert_eq!(ExitRecord::read(started.run_dir.as_fd()).unwrap(), Some(told));
    let seen: Vec<_> = started.records().into_iter().map(|r| (r.stream, r.payload)).collect();
    assert_eq!(seen, [(Stream::Stdout, b"out\n".to_vec()), (Stream::Stderr, b"err\n".to_vec())]);
}

#[test]
fn the_last_of_much_output_is_logged_before_the_end_is_told() {
    let bundle = Bundle::new("dd if=/dev/zero bs=1024 count=4000 2>/dev/null; echo last");
    let launcher = launcher();
    let started = Started::start(&launcher, &bundle.launch_spec(PLAIN), None).unwrap();
    assert_eq!(started.exit().status, 0);
    let bytes: Vec<u8> = started.records().into_iter().flat_map(|r| r.payload).collect();
    assert_eq!(bytes.len(), 4000 * 1024 + 5);
    assert!(bytes.ends_with(b"last\n"));
}

#[test]
fn standard_input_half_closes_when_both_write_ends_are_closed() {
    let bundle = Bundle::new("cat; echo end");
    let launcher = launcher();
    let started = Started::start(&launcher, &bundle.launch_spec(Streams::Fifos { stdin: true }), None).unwrap();
    let mut stdin = File::options().write(true).open(started.dir.path().join("stdin")).unwrap();
    stdin.write_all(b"typed\n").unwrap();
    drop(stdin);
    eventually("what was typed is logged", || started.output() == "typed\n");
    let control = Control::connect(started.run_dir.as_fd()).unwrap();
    assert_eq!(control.ask(Ask::CloseStdin, bundle::SOON).unwrap().0, Answer::Done);
    assert_eq!(started.exit().status, 0);
    assert_eq!(started.output(), "typed\nend\n");
}

#[test]
fn a_terminal_is_logged_resized_and_handed_out() {
    let bundle = Bundle::new("read line; stty size; echo got $line");
    let launcher = launcher();
    let started = Started::start(&launcher, &bundle.launch_spec(Streams::Terminal { rows: 0, cols: 0 }), None).unwrap();
    let control = Control::connect(started.run_dir.as_fd()).unwrap();
    let hello = control.ask(Ask::Hello, bundle::SOON).unwrap().0;
    assert_eq!(hello, Answer::Hello { pid: started.pid, running: true });
    assert_eq!(control.ask(Ask::Resize { rows: 12, cols: 34 }, bundle::SOON).unwrap().0, Answer::Done);
    let (_, master) = control.ask(Ask::GetTty, bundle::SOON).unwrap();
    File::from(master.unwrap()).write_all(b"hey\n").unwrap();
    assert_eq!(started.exit().status, 0);
    assert_eq!(started.output(), "hey\r\n12 34\r\ngot hey\r\n");
}

#[test]
fn a_start_that_fails_is_told_with_stage_and_leaves_no_record() {
    let bundle = Bundle::of(&["nosuch"]);
    let launcher = launcher();
    let Err(Report::Failed(failure)) = Started::start(&launcher, &bundle.launch_spec(PLAIN), None) else {
        panic!("it must fail")
    };
    assert_eq!(failure.exit_code(), 127);
    assert_eq!(failure.message, r#"exec: "nosuch": executable file not found in $PATH"#);
}

#[test]
fn a_user_by_name_is_resolved_inside_the_root() {
    let bundle = Bundle::new("id");
    let launcher = launcher();
    let mut spec = bundle.launch_spec(PLAIN);
    spec.user = Some("user".into());
    let started = Started::start(&launcher, &spec, None).unwrap();
    started.exit();
    assert_eq!(started.output(), "uid=1000(user) gid=1000(user) groups=29(audio),1000(user)\n");
}

#[test]
fn a_killed_monitor_is_replaced_and_neither_output_nor_status_is_lost() {
    let bundle = Bundle::new("i=0; while [ $i -lt 60 ]; do echo $i; i=$((i+1)); sleep 0.02; done; exit 9");
    let launcher = launcher();
    let mut started = Started::start(&launcher, &bundle.launch_spec(PLAIN), None).unwrap();
    kill(started.parent(), Signal::KILL);
    eventually("the first process has another parent", || started.parent() == i32::try_from(launcher.pid()).unwrap());
    started.adopt(&launcher);
    assert_eq!(started.exit().status, 9);
    let expected: String = (0..60).map(|i| format!("{i}\n")).collect();
    assert_eq!(started.output(), expected);
}

#[test]
fn where_no_monitor_came_back_the_launcher_records_the_end() {
    let bundle = Bundle::new("sleep 0.3; exit 6");
    let launcher = launcher();
    let started = Started::start(&launcher, &bundle.launch_spec(PLAIN), None).unwrap();
    kill(started.parent(), Signal::KILL);
    let mut record = None;
    eventually("the launcher writes a record", || {
        record = ExitRecord::read(started.run_dir.as_fd()).unwrap();
        record.is_some()
    });
    assert_eq!(record.unwrap().status, 6);
}

#[test]
fn what_a_container_wrote_at_its_end_is_logged_where_no_monitor_came_to_read_it() {
    let bundle = Bundle::new("sleep 0.3; echo last; echo word >&2; exit 6");
    let launcher = launcher();
    let started = Started::start(&launcher, &bundle.launch_spec(PLAIN), None).unwrap();
    let monitor = started.parent();
    kill(monitor, Signal::STOP);
    let stat = format!("/proc/{}/stat", started.pid);
    eventually("the container has ended", || std::fs::read_to_string(&stat).unwrap().contains(") Z "));
    assert_eq!(started.output(), "");
    kill(monitor, Signal::KILL);
    let mut record = None;
    eventually("the launcher writes a record", || {
        record = ExitRecord::read(started.run_dir.as_fd()).unwrap();
        record.is_some()
    });
    assert_eq!((record.unwrap().status, started.output().as_str()), (6, "last\nword\n"));
}

#[test]
fn a_killed_launcher_takes_no_container_with_it() {
    let bundle = Bundle::new("sleep 0.3; echo alive; exit 8");
    let launcher = launcher();
    let started = Started::start(&launcher, &bundle.launch_spec(PLAIN), None).unwrap();
    kill(i32::try_from(launcher.pid()).unwrap(), Signal::KILL);
    assert_eq!(started.exit().status, 8);
    assert_eq!(started.output(), "alive\n");
}

#[test]
fn an_engine_that_goes_away_before_it_gave_leave_gets_no_container() {
    let bundle = Bundle::new("true");
    let launcher = launcher();
    // The folder is kept until the end: the monitor makes its socket there.
    let Started { reports, pid, dir: _dir, .. } = Started::created(&launcher, &bundle.launch_spec(PLAIN));
    assert_eq!(reports.next(bundle::SOON).unwrap().unwrap().0, Report::Ready);
    drop(reports);
    eventually("the process is gone", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn a_monitor_that_is_killed_before_leave_was_given_takes_the_start_with_it() {
    let bundle = Bundle::new("true");
    let launcher = launcher();
    let created = Started::created(&launcher, &bundle.launch_spec(PLAIN));
    let monitor = created.parent();
    kill(monitor, Signal::STOP);
    let children = format!("/proc/{0}/task/{0}/children", monitor);
    assert_eq!(std::fs::read_to_string(children).unwrap().trim(), created.pid.to_string());
    // By then the process has prepared itself, told that to a monitor that does not listen, and waits.
    std::thread::sleep(std::time::Duration::from_millis(200));
    kill(monitor, Signal::KILL);
    let said = std::iter::from_fn(|| created.reports.next(bundle::SOON).unwrap().map(|(report, _)| report));
    assert!(said.take(2).all(|report| report == Report::Ready), "and then the end");
    eventually("the process is gone", || !std::path::Path::new(&format!("/proc/{}", created.pid)).exists());
}

#[test]
fn a_container_that_closes_its_output_lets_the_monitor_sleep() {
    let bundle = Bundle::new("echo out; exec >/dev/null 2>&1; sleep 1.5");
    let launcher = launcher();
    let started = Started::start(&launcher, &bundle.launch_spec(PLAIN), None).unwrap();
    let stat = format!("/proc/{}/stat", started.parent());
    std::thread::sleep(std::time::Duration::from_secs(1));
    let stat = std::fs::read_to_string(stat).unwrap();
    // Fields 14 and 15 (proc_pid_stat(5)): its time in programs and in the kernel, in hundredths of a second.
    let times = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
    let ticks: u32 = times.map(|t| t.parse::<u32>().unwrap()).sum();
    assert!(ticks < 20, "{ticks} of 100 ticks");
    assert_eq!(started.exit().status, 0);
    assert_eq!(started.output(), "out\n");
}

#[test]
fn a_process_run_later_is_in_the_containers_namespaces_with_its_own_streams() {
    let bundle = Bundle::new("sleep 20");
    let launcher = launcher();
    let started = Started::start(&launcher, &bundle.launch_spec(PLAIN), None).unwrap();
    let process = json!({"user": {"uid": 0, "gid": 0}, "cwd": "/tmp", "env": ["PATH=/bin"], "noNewPrivileges": true,
        "args": ["sh", "-c", "hostname; pwd; read x; echo $x; id -u; ls /proc/self/fd; exit 3"]});
    let spec =
        ExecSpec { process: serde_json::from_value(process).unwrap(), user: Some("user".into()), groups: vec![] };
    let target = started.init().open().unwrap().unwrap();
    let (stdin, mut input) = std::io::pipe().unwrap();
    let (mut output, stdout) = std::io::pipe().unwrap();
    let reports = launcher
        .exec(&ExecRequest {
            spec: &spec,
            target: target.as_fd(),
            stdio: Some([stdin.as_fd(), stdout.as_fd(), stdout.as_fd()]),
            cgroup: None,
            seccomp: None,
        })
        .unwrap();
    drop((stdin, stdout));
    input.write_all(b"line\n").unwrap();
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    let end = loop {
        if let Report::Exited(record) = reports.next(bundle::SOON).unwrap().unwrap().0 {
            break record;
        }
    };
    assert_eq!(text, "davit-test\n/tmp\nline\n1000\n0\n1\n2\n3\n");
    assert_eq!(end.status, 3);
    kill(started.pid, Signal::KILL);
    assert_eq!(started.exit().signal, Some(9));
}

/// The first kernel with it; the last tier has to work everywhere.
fn since(tier: OverlayTier) -> (u32, u32) {
    match tier {
        OverlayTier::Descriptor => (6, 13),
        OverlayTier::ProcPath => (6, 8),
        OverlayTier::ShortNames => (0, 0),
    }
}

fn kernel() -> (u32, u32) {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut parts = release.split('.').map_while(|p| p.parse().ok());
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[test]
fn a_real_time_signal_reaches_the_program_by_its_number() {
    let bundle = Bundle::new("trap 'echo got; exit 5' 37; echo ready; while :; do sleep 0.05; done");
    let launcher = launcher();
    let started = Started::start(&launcher, &bundle.launch_spec(PLAIN), None).unwrap();
    eventually("it is ready", || started.output() == "ready\n");
    let init = started.init().open().unwrap().unwrap();
    let invalid = pidfd::send_signal(init.as_fd(), 65).unwrap_err();
    assert_eq!(invalid.kind(), std::io::ErrorKind::InvalidInput, "{invalid}");
    pidfd::send_signal(init.as_fd(), 37).unwrap();
    assert_eq!(started.exit().status, 5);
    assert_eq!(started.output(), "ready\ngot\n");
    assert_eq!(pidfd::send_signal(init.as_fd(), 37).unwrap_err().raw_os_error(), Some(3), "it has ended");
}

#[test]
fn many_layers_mount_in_every_tier_that_the_kernel_has() {
    for tier in [OverlayTier::Descriptor, OverlayTier::ProcPath, OverlayTier::ShortNames] {
        let area = tempfile::tempdir().unwrap();
        bundle::populate(&area.path().join("layer000"));
        for n in 1..127 {
            let layer = area.path().join(format!("layer{n:03}"));
            std::fs::create_dir(&layer).unwrap();
            std::fs::write(layer.join("top"), format!("{n}\n")).unwrap();
            std::fs::write(layer.join(format!("own{n}")), "").unwrap();
        }
        std::fs::create_dir(area.path().join("upper")).unwrap();
        std::fs::create_dir(area.path().join("work")).unwrap();
        let bundle = Bundle::new("cat /top; ls / | grep -c own; touch /new; grep -c ' / overlay ' /proc/mounts; true");
        let mut spec = bundle.launch_spec(PLAIN);
        spec.overlay_tier = Some(tier);
        spec.root = RootSource::Area(RootMount::Overlay {
            lower: (0..127).map(|n| format!("layer{n:03}").parse().unwrap()).collect(),
            upper: Some("upper".parse().unwrap()),
            work: Some("work".parse().unwrap()),
        });
        let launcher = launcher();
        match Started::start(&launcher, &spec, Some(area.path())) {
            Ok(started) => {
                assert_eq!(started.exit().status, 0);
                assert_eq!(started.output(), "126\n126\n1\n", "{tier:?}");
                assert!(area.path().join("upper/new").exists());
            }
            // EINVAL: overlay does not know the option; EOPNOTSUPP: it has no options by descriptor at all (Linux 6.1).
            Err(Report::Failed(f)) if matches!(f.errno, Some(22 | 95)) && kernel() < since(tier) => {
                println!("skipped: {tier:?} needs Linux {:?}, this is {:?}: {f}", since(tier), kernel());
            }
            Err(other) => panic!("{tier:?}: {other:?}"),
        }
    }
}
