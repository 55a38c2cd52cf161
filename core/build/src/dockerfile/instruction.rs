//! One logical line to one instruction. Pure.

use super::{
    error::{SyntaxError, shown},
    flags,
    words::{first, json_list, quoted},
};

/// An instruction and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The line where it begins.
    pub(crate) line: usize,
    /// As written, in one line.
    pub(crate) text: String,
    /// What it says.
    pub(crate) instruction: Instruction,
}

/// What an instruction says. Words still hold their quotes and variables, except where the language has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Instruction {
    /// Begins a stage.
    From { platform: Option<String>, base: String, name: Option<String> },
    /// `COPY` and `ADD`.
    Copy(Copy),
    /// Names and values.
    Env(Vec<(String, String)>),
    /// Names and values.
    Label(Vec<(String, String)>),
    /// Names and defaults.
    Arg(Vec<(String, Option<String>)>),
    /// A folder.
    Workdir(String),
    /// `user[:group]`.
    User(String),
    /// Ports.
    Expose(Vec<String>),
    /// Folders.
    Volume(Vec<String>),
    /// The command's fixed part.
    Entrypoint(Command),
    /// The command, or the entry point's arguments.
    Cmd(Command),
    /// What shell forms are run with.
    Shell(Vec<String>),
    /// A signal's name or number.
    StopSignal(String),
    /// The author.
    Maintainer(String),
    /// An instruction of the language that this builder does not do; refused when its stage is built.
    Later { name: &'static str, why: &'static str },
}

/// `COPY` or `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    /// `ADD`: local archives are unpacked.
    pub(crate) add: bool,
    /// A stage or an image instead of the context.
    pub(crate) from: Option<String>,
    /// `user[:group]`.
    pub(crate) chown: Option<String>,
    /// Octal.
    pub(crate) chmod: Option<String>,
    /// Patterns; at least one.
    pub(crate) sources: Vec<String>,
    /// Where to.
    pub(crate) dest: String,
}

/// The two forms of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// A list: run as it is.
    Exec(Vec<String>),
    /// A text for the shell.
    Shell(String),
}

impl Instruction {
    /// Its name in capitals.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::From { .. } => "FROM",
            Self::Copy(copy) if copy.add => "ADD",
            Self::Copy(_) => "COPY",
            Self::Env(_) => "ENV",
            Self::Label(_) => "LABEL",
            Self::Arg(_) => "ARG",
            Self::Workdir(_) => "WORKDIR",
            Self::User(_) => "USER",
            Self::Expose(_) => "EXPOSE",
            Self::Volume(_) => "VOLUME",
            Self::Entrypoint(_) => "ENTRYPOINT",
            Self::Cmd(_) => "CMD",
            Self::Shell(_) => "SHELL",
            Self::StopSignal(_) => "STOPSIGNAL",
            Self::Maintainer(_) => "MAINTAINER",
            Self::Later { name, .. } => name,
        }
    }
}

const HEREDOC: SyntaxError =
    SyntaxError::NotYet { what: "a here-document (<<)", why: "put the text into a file of the context and COPY it" };

/// Reads a line. `text` is not empty.
pub(crate) fn parse(text: &str, escape: char) -> Result<Instruction, SyntaxError> {
    let (word, rest) = first(text);
    let name = word.to_ascii_uppercase();
    if matches!(name.as_str(), "RUN" | "COPY" | "ADD") && rest.split_whitespace().any(is_heredoc) {
        return Err(HEREDOC);
    }
    let missing = |instruction, what| SyntaxError::Missing { instruction, what };
    let whole = |instruction, what| if rest.is_empty() { Err(missing(instruction, what)) } else { Ok(rest.to_owned()) };
    Ok(match name.as_str() {
        "FROM" => from(rest)?,
        "COPY" => Instruction::Copy(copy("COPY", rest)?),
        "ADD" => Instruction::Copy(copy("ADD", rest)?),
        "ENV" => Instruction::Env(pairs("ENV", rest, escape)?),
        "LABEL" => Instruction::Label(pairs("LABEL", rest, escape)?),
        "ARG" => Instruction::Arg(args(rest, escape)?),
        "WORKDIR" => Instruction::Workdir(whole("WORKDIR", "a folder")?),
        "USER" => Instruction::User(whole("USER", "a user")?),
        "EXPOSE" => Instruction::Expose(some("EXPOSE", "a port", quoted(rest, escape))?),
        "VOLUME" => {
            let folders = json_list(rest).unwrap_or_else(|| quoted(rest, escape));
            Instruction::Volume(some("VOLUME", "a folder", folders)?)
        }
        "ENTRYPOINT" => Instruction::Entrypoint(command(rest)),
        "CMD" => Instruction::Cmd(command(rest)),
        "SHELL" => {
            let list = json_list(rest).filter(|l| !l.is_empty());
            Instruction::Shell(list.ok_or_else(|| missing("SHELL", "a JSON list, as in SHELL [\"/bin/sh\", \"-c\"]"))?)
        }
        "STOPSIGNAL" => Instruction::StopSignal(whole("STOPSIGNAL", "a signal")?),
        "MAINTAINER" => Instruction::Maintainer(whole("MAINTAINER", "a name")?),
        "RUN" => Instruction::Later {
            name: "RUN",
            why: "this builder makes images from files and metadata only; run the command elsewhere and COPY what it makes",
        },
        "ONBUILD" => {
            Instruction::Later { name: "ONBUILD", why: "write the instruction into the Dockerfiles that need it" }
        }
        "HEALTHCHECK" => {
            Instruction::Later { name: "HEALTHCHECK", why: "give the health check when the container is created" }
        }
        _ => return Err(SyntaxError::Unknown(shown(word))),
    })
}

fn is_heredoc(word: &str) -> bool {
    let Some(after) = word.strip_prefix("<<") else { return false };
    let after = after.strip_prefix('-').unwrap_or(after).trim_start_matches(['"', '\'']);
    after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

fn some(instruction: &'static str, what: &'static str, list: Vec<String>) -> Result<Vec<String>, SyntaxError> {
    if list.is_empty() { Err(SyntaxError::Missing { instruction, what }) } else { Ok(list) }
}

fn command(text: &str) -> Command {
    match json_list(text) {
        Some(list) => Command::Exec(list),
        None => Command::Shell(text.to_owned()),
    }
}

fn from(text: &str) -> Result<Instruction, SyntaxError> {
    let ([platform], text) = flags::take("FROM", text, ["platform"])?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let (base, name) = match words.as_slice() {
        [base] => (base, None),
        [base, keyword, name] if keyword.eq_ignore_ascii_case("as") => (base, Some(*name)),
        _ => {
            return Err(SyntaxError::Missing { instruction: "FROM", what: "an image, and no more than AS and a name" });
        }
    };
    if let Some(name) = name {
        let letter = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !letter || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
            return Err(SyntaxError::StageName(shown(name)));
        }
    }
    // Names of stages are the same in capitals.
    let name = name.map(str::to_ascii_lowercase);
    Ok(Instruction::From { platform, base: (*base).to_owned(), name })
}

fn copy(instruction: &'static str, text: &str) -> Result<Copy, SyntaxError> {
    let add = instruction == "ADD";
    let ([from, chown, chmod], rest) = flags::take(instruction, text, ["from", "chown", "chmod"])?;
    if add && from.is_some() {
        return Err(SyntaxError::Flag { instruction, flag: "--from".to_owned() });
    }
    let mut sources = json_list(rest).unwrap_or_else(|| rest.split_whitespace().map(str::to_owned).collect());
    match sources.pop() {
        Some(dest) if !sources.is_empty() => Ok(Copy { add, from, chown, chmod, sources, dest }),
        _ => Err(SyntaxError::Missing { instruction, what: "a source and a destination" }),
    }
}

/// `a=b c=d`, or the old `a rest of the line`.
fn pairs(instruction: &'static str, text: &str, escape: char) -> Result<Vec<(String, String)>, SyntaxError> {
    let words = some(instruction, "a name and a value", quoted(text, escape))?;
    if words.first().is_some_and(|w| !w.contains('=')) {
        let (name, value) = first(text);
        if value.is_empty() {
            return Err(SyntaxError::NameValue { instruction, word: shown(name) });
        }
        return Ok(vec![(name.to_owned(), value.to_owned())]);
    }
    let pair = |word: String| match word.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(SyntaxError::NameValue { instruction, word: shown(&word) }),
    };
    words.into_iter().map(pair).collect()
}

fn args(text: &str, escape: char) -> Result<Vec<(String, Option<String>)>, SyntaxError> {
    let words = some("ARG", "a name", quoted(text, escape))?;
    let arg = |word: String| {
        let (name, default) = match word.split_once('=') {
            Some((name, default)) => (name, Some(default.to_owned())),
            None => (word.as_str(), None),
        };
        let fine = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        match fine {
            true => Ok((name.to_owned(), default)),
            false => Err(SyntaxError::Value { instruction: "ARG", why: "not a variable's name", value: shown(name) }),
        }
    };
    words.into_iter().map(arg).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Instruction {
        parse(text, '\\').unwrap()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn instructions_are_read_whatever_their_case() {
        let copy = |sources: &[&str], dest: &str| Copy {
            add: false,
            from: None,
            chown: None,
            chmod: None,
            sources: sources.iter().map(|s| (*s).to_owned()).collect(),
            dest: dest.to_owned(),
        };
        for (text, expected) in [
            (
                "from --platform=linux/amd64 a:1 As Build",
                Instruction::From {
                    platform: Some("linux/amd64".into()),
                    base: "a:1".into(),
                    name: Some("build".into()),
                },
            ),
            ("copy a b /c/", Instruction::Copy(copy(&["a", "b"], "/c/"))),
            (r#"COPY ["a b", "c"]"#, Instruction::Copy(copy(&["a b"], "c"))),
            ("ADD a b", Instruction::Copy(Copy { add: true, ..copy(&["a"], "b") })),
            (
                "COPY --from=0 --chown=1:2 --chmod=755 a b",
                Instruction::Copy(Copy {
                    from: Some("0".into()),
                    chown: Some("1:2".into()),
                    chmod: Some("755".into()),
                    ..copy(&["a"], "b")
                }),
            ),
            (r#"ENV a="b c" d=e=f"#, Instruction::Env(vec![pair("a", r#""b c""#), pair("d", "e=f")])),
            ("ENV a b = c", Instruction::Env(vec![pair("a", "b = c")])),
            ("LABEL a.b=c", Instruction::Label(vec![pair("a.b", "c")])),
            ("ARG a b=", Instruction::Arg(vec![("a".into(), None), ("b".into(), Some(String::new()))])),
            ("VOLUME /a /b", Instruction::Volume(vec!["/a".into(), "/b".into()])),
            (r#"VOLUME ["/a b"]"#, Instruction::Volume(vec!["/a b".into()])),
            (r#"CMD ["a", "b"]"#, Instruction::Cmd(Command::Exec(vec!["a".into(), "b".into()]))),
            ("CMD [ -f x ]", Instruction::Cmd(Command::Shell("[ -f x ]".into()))),
            ("ENTRYPOINT exec top -b", Instruction::Entrypoint(Command::Shell("exec top -b".into()))),
            (r#"SHELL ["/bin/ash", "-c"]"#, Instruction::Shell(vec!["/bin/ash".into(), "-c".into()])),
            ("WORKDIR /a b", Instruction::Workdir("/a b".into())),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        for text in ["RUN true", "ONBUILD RUN x", "HEALTHCHECK NONE"] {
            assert!(matches!(read(text), Instruction::Later { .. }), "{text}");
        }
    }

    #[test]
    fn lines_that_are_wrong_say_what_is() {
        for (text, why) in [
            ("FROM", "FROM requires an image"),
            ("FROM a b", "FROM requires an image"),
            ("FROM a AS 1x", "not a name for a stage"),
            ("FROM --foo=1 a", "--foo is not supported"),
            ("COPY a", "a source and a destination"),
            ("COPY --link a b", "--link is not supported"),
            ("ADD --from=x a b", "--from is not supported"),
            ("COPY <<EOF /a", "a here-document (<<) is not supported yet"),
            ("RUN <<-'EOF'", "a here-document"),
            ("ENV", "ENV requires a name and a value"),
            ("ENV a", "not of the form"),
            ("ENV a=b c", "not of the form"),
            ("ENV =b", "not of the form"),
            ("ARG a-b=c", "not a variable's name"),
            ("SHELL /bin/sh -c", "SHELL requires a JSON list"),
            ("EXPOSE", "EXPOSE requires a port"),
            ("WORKDIR", "WORKDIR requires a folder"),
            ("COPYY a b", "unknown instruction: COPYY"),
        ] {
            let error = parse(text, '\\').unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
