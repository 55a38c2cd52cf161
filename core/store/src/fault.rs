//! Fault points: places where the tests kill the process. Nothing in builds without the feature `fault-points`.

/// Kills this process where `FAILPOINTS` says so: `name=3*off->return` passes three times and ends the fourth.
#[cfg(any(test, feature = "fault-points"))]
pub(crate) fn point(name: &str) {
    static SCENARIO: std::sync::OnceLock<()> = std::sync::OnceLock::new();
    // The scenario is never torn down: a process that is to die here has only one.
    SCENARIO.get_or_init(|| std::mem::forget(fail::FailScenario::setup()));
    fail::fail_point!(name, |_| {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        std::process::abort()
    });
}

#[cfg(not(any(test, feature = "fault-points")))]
pub(crate) fn point(_name: &str) {}
