//! Fault points: the places of a program between two things that last, a row and a link, a folder and a process, where a
//! test ends it as SIGKILL does. Nothing of it is in a build without the feature `fault-points`.
//!
//! A point has a name for people, and a number: it is the n-th that this process passed since the test armed it. A test
//! kills at 1, 2, 3, … until the program lives through, and has then killed it wherever it can be killed; there is no list
//! of points to keep. `DAVIT_FAULT_FILE` names the file that arms: it holds the number of the point to die at, or the name
//! of one (the first of that name, where things done side by side make the numbers of no two runs the same); the names of
//! those that were passed are appended beside it (`.passed`). Without the file nothing is counted.

/// A place where a test may end this process.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub fn point(_name: &str) {}

#[cfg(feature = "fault-points")]
pub use armed::point;

#[cfg(feature = "fault-points")]
mod armed {
    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };
    use std::{
        fs::OpenOptions,
        io::Write as _,
        path::PathBuf,
        sync::{Mutex, OnceLock, PoisonError},
    };

    /// A place where a test may end this process.
    pub fn point(name: &str) {
        static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
        // What armed, and how many points were passed since.
        static PASSED: Mutex<(String, u64)> = Mutex::new((String::new(), 0));
        let Some(file) = FILE.get_or_init(|| std::env::var_os("DAVIT_FAULT_FILE").map(PathBuf::from)) else { return };
        let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if passed.0 != text {
            *passed = (text, 0);
        }
        if passed.0.is_empty() {
            return;
        }
        passed.1 += 1;
        let told = OpenOptions::new().create(true).append(true).open(file.with_extension("passed"));
        // A test that cannot be told finds too few names, and fails for that.
        let _ = told.and_then(|mut beside| writeln!(beside, "{name}"));
        if passed.0 == name || passed.0.parse() == Ok(passed.1) {
            let _ = kill(Pid::this(), Signal::SIGKILL);
            std::process::abort();
        }
    }
}
