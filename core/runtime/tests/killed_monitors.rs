//! SIGKILL to a container's monitor, at hundreds of instants, while the container writes as fast as it can: each line is in
//! the log once, in its place.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails the test")]

mod bundle;

use bundle::{Bundle, Started, eventually, kill, launcher};
use davit_runtime::log::Stream;
use davit_runtime::spec::Streams;
use rustix::process::Signal;
use std::path::Path;
use std::time::Duration;

const KILLS: u64 = 300;
/// The latest instant after a monitor took over, in microseconds.
const LATEST: u64 = 5000;
const COUNTS: &str = "i=0; while :; do echo $i; echo $i >&2; i=$((i+1)); done";

/// The launcher's only child besides the container.
fn monitor(launcher: u32, container: i32) -> i32 {
    let children = std::fs::read_to_string(format!("/proc/{launcher}/task/{launcher}/children")).unwrap();
    let mut others = children.split_ascii_whitespace().map(|c| c.parse().unwrap()).filter(|c| *c != container);
    others.next().expect("a monitor runs")
}

#[test]
fn no_line_is_lost_or_doubled_by_hundreds_of_kills() {
    let launcher = launcher();
    let mut started =
        Started::start(&launcher, &Bundle::new(COUNTS).launch_spec(Streams::Fifos { stdin: false }), None).unwrap();
    for n in 0..KILLS {
        // Spread evenly, and by the machine's own chance.
        std::thread::sleep(Duration::from_micros(n * 7919 % LATEST));
        let monitor = monitor(launcher.pid(), started.pid);
        kill(monitor, Signal::KILL);
        eventually("the launcher has reaped the monitor", || !Path::new(&format!("/proc/{monitor}")).exists());
        started.adopt(&launcher);
    }
    kill(started.pid, Signal::KILL);
    started.exit();
    for stream in [Stream::Stdout, Stream::Stderr] {
        let ours = started.records().into_iter().filter(|r| r.stream == stream);
        let text = String::from_utf8(ours.flat_map(|r| r.payload).collect()).unwrap();
        let mut lines = 0;
        for line in text.lines() {
            assert_eq!(line, lines.to_string(), "of {stream:?}, after {KILLS} kills");
            lines += 1;
        }
        assert!(lines > KILLS, "only {lines} lines were written");
    }
}
