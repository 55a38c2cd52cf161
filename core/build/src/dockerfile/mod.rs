//! The Dockerfile front end: text to instructions. Pure: it knows no image, no context and no environment, so words keep
//! their quotes and variables until [`expand`] is asked. One step more in each file: `lines`, `words`, `instruction`.

pub(crate) mod error;
pub(crate) mod expand;
mod flags;
mod instruction;
mod lines;
mod words;

pub(crate) use instruction::{Command, Copy, Instruction, Step};

use error::SyntaxError;

/// A Dockerfile as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Dockerfile {
    /// The character that escapes.
    pub(crate) escape: char,
    /// The instructions in order. The first that is not `ARG` is `FROM`.
    pub(crate) steps: Vec<Step>,
}

/// Reads a Dockerfile. An error comes with the line where it is.
pub(crate) fn parse(text: &str) -> Result<Dockerfile, (usize, SyntaxError)> {
    let (escape, lines) = lines::logical(text)?;
    let mut steps: Vec<Step> = Vec::with_capacity(lines.len());
    let mut begun = false;
    for line in lines {
        let instruction = instruction::parse(&line.text, escape).map_err(|e| (line.number, e))?;
        match instruction {
            Instruction::From { .. } => begun = true,
            Instruction::Arg(_) => {}
            _ if begun => {}
            _ => return Err((line.number, SyntaxError::BeforeFrom(instruction.name()))),
        }
        steps.push(Step { line: line.number, text: line.text, instruction });
    }
    if !begun {
        return Err((1, SyntaxError::Empty));
    }
    Ok(Dockerfile { escape, steps })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn errors_carry_their_line() {
        for (text, line, why) in [
            ("", 1, "no instruction"),
            ("ARG a", 1, "no instruction"),
            ("ENV a=b", 1, "before the first FROM"),
            ("FROM a\n\nFETCH x", 3, "unknown instruction: FETCH"),
            ("FROM a\nENV \\\n  a=b \\\n  c", 2, "not of the form name=value"),
        ] {
            let (at, error) = parse(text).unwrap_err();
            assert_eq!(at, line, "{text:?}");
            assert!(error.to_string().contains(why), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(.|\n)*") {
            let _ = parse(&text);
        }

        #[test]
        fn no_near_dockerfile_makes_it_panic(
            lines in prop::collection::vec(
                r#"(FROM|COPY|ADD|ENV|ARG|LABEL|EXPOSE|VOLUME|CMD|USER|SHELL|RUN|# ?escape) ?(--[a-z]+=?)?[ a-z=\[\]"'$\{\}:,\\`/<.0-9-]{0,30}"#,
                0..8,
            )
        ) {
            let _ = parse(&lines.join("\n"));
        }
    }
}
