//! What went wrong, in one line, and what to do next, in another.

use std::io;

/// The status that the process ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    /// All went well.
    pub(crate) const OK: Self = Self(0);
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Words on the command line that make no sense.
    #[error("{0}")]
    Usage(String),
    /// A flag that there is not, or a value that it cannot take.
    #[error("{0}")]
    Flag(String),
    /// A template for an object that cannot be read.
    #[error("{0}")]
    Template(String),
    /// A registry does not take a credential that is being tried.
    #[error("{0}")]
    Denied(String),
    /// The user pressed Ctrl-C at a question, or a signal said the same.
    #[error("interrupted")]
    Interrupted,
    /// Nobody answers at the daemon's address.
    #[error("cannot connect to the davit daemon at {host}: {source}")]
    Connect { host: String, source: io::Error },
    /// The daemon was started and did not come up.
    #[error("davitd did not start: {0}")]
    Start(String),
    /// The daemon says no.
    #[error("{message}")]
    Refused { status: u16, message: String },
    /// Work that had begun ended with an error.
    #[error("{0}")]
    Failed(String),
    /// A container was made, and did not start.
    #[error(transparent)]
    NotStarted(Box<Error>),
    /// The connection broke, or it is no HTTP.
    #[error("{request}: connection to the daemon failed: {source}")]
    Http { request: String, source: hyper::Error },
    /// The answer is not what the API promises.
    #[error("{request}: unexpected answer of the daemon: {reason}")]
    Answer { request: String, reason: String },
    /// The answer did not come in time.
    #[error("{request}: no answer of the daemon within {seconds} s")]
    Deadline { request: String, seconds: u64 },
    /// A file, the terminal or a local process.
    #[error("{operation} {object}: {source}")]
    Io { operation: &'static str, object: String, source: io::Error },
    /// Whoever read our output has gone; nothing to say, and nobody to say it to.
    #[error("output closed")]
    OutputClosed,
}

impl Error {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(crate) fn io(operation: &'static str, object: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let object = object.into();
        move |source| Self::Io { operation, object, source }
    }

    pub(crate) fn flag(message: impl Into<String>) -> Self {
        Self::Flag(message.into())
    }

    /// An error of writing to standard output or error.
    pub(crate) fn output(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Io { operation: "write", object: "output".to_owned(), source },
        }
    }

    /// The HTTP status, where the daemon answered with one.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The process's exit status, as Docker's client has it; `run` and `exec` choose their own.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Flag(_) => 125,
            Self::Template(_) => 64,
            Self::Interrupted => 130,
            Self::OutputClosed => 141,
            _ => 1,
        }
    }

    /// The exit status of `run`: 125, or for a command that could not be run what a shell would say.
    pub(crate) fn code_of_run(&self) -> u8 {
        match self {
            Self::NotStarted(error) => code_of_command(&error.to_string()),
            _ => 125,
        }
    }

    /// The next step, for people. None where the message says it already.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Connect { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("run it as root, or join the group that owns the socket".to_owned())
            }
            Self::Connect { .. } => {
                Some("start the daemon with `davit daemon --detach` as root, or name one with -H".to_owned())
            }
            Self::Refused { status, message } => refusal_hint(*status, message).map(str::to_owned),
            Self::NotStarted(error) => error.hint(),
            Self::Denied(_) => {
                Some("check the user name and the password; some registries want an access token".to_owned())
            }
            Self::Deadline { .. } => Some("see the daemon's log for what it waits for".to_owned()),
            _ => None,
        }
    }
}

/// 127 where a command was not found, 126 where it cannot be run, else 125.
pub(crate) fn code_of_command(message: &str) -> u8 {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["executable file not found", "no such file or directory", "command not found"]) {
        127
    } else if says(&["permission denied", "is a directory", "exec format error"]) {
        126
    } else {
        125
    }
}

fn refusal_hint(status: u16, message: &str) -> Option<&'static str> {
    let text = message.to_ascii_lowercase();
    let has = |part: &str| text.contains(part);
    match status {
        404 if has("no such container") => Some("`davit ps -a` lists the containers that are there"),
        404 if has("no such image") => Some("`davit images` lists the images that are here; `davit pull` fetches one"),
        404 if has("network") => Some("`davit info` names the networks that the site has"),
        409 if has("name") && has("in use") => Some("choose another --name, or remove that container with `davit rm`"),
        409 if has("cannot remove container") && has("is running") => Some("stop it first, or force with -f"),
        409 if has("used by running container") => Some("stop that container first: `davit stop`"),
        409 if has("is not running") && !has("cannot kill") => Some("`davit start` starts it"),
        _ if has("unauthorized") || has("authentication required") || has("no basic auth") => {
            Some("`davit login REGISTRY` stores a credential")
        }
        _ if has("port") && (has("in use") || has("already allocated")) => {
            Some("`davit ps --filter publish=PORT` names the container that has it, if one has; choose another with -p")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_next_step() {
        let error = Error::Refused { status: 404, message: "No such container: web".to_owned() };
        assert_eq!(error.hint().as_deref(), Some("`davit ps -a` lists the containers that are there"));
        assert_eq!(Error::Refused { status: 500, message: "disk is full".to_owned() }.hint(), None);
    }

    #[test]
    fn a_command_that_cannot_run_ends_as_in_a_shell() {
        assert_eq!(code_of_command("exec: \"nope\": executable file not found in $PATH"), 127);
        assert_eq!(code_of_command("exec /etc/passwd: Permission denied"), 126);
        assert_eq!(code_of_command("no free address in 10.1.0.0/16"), 125);
    }

    #[test]
    fn words_that_make_no_sense_end_as_dockers_do() {
        assert_eq!((Error::usage("what").code(), Error::flag("--what").code()), (1, 125));
    }

    #[test]
    fn a_hint_is_about_what_was_refused() {
        let hint =
            |message: &str| Error::Refused { status: 409, message: message.to_owned() }.hint().unwrap_or_default();
        assert_eq!(hint("container c is not running"), "`davit start` starts it");
        assert_eq!(hint("cannot kill container: c: container c is not running"), "", "there is nothing to do");
        assert_eq!(
            hint(
                "cannot remove container \"c\": container is running: stop the container before removing or force remove"
            ),
            "stop it first, or force with -f"
        );
        let held =
            hint("conflict: unable to delete bb (cannot be forced) - image is being used by running container 96");
        assert!(held.starts_with("stop that container first"), "{held}");
        assert!(
            hint("plugin bridge, plan-endpoint: conflict: Bind for 0.0.0.0:80 failed: port is already allocated")
                .contains("publish=PORT")
        );
    }
}
