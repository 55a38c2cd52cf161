//! From a Dockerfile to stages: which there are, what each begins with and copies from, and which the target needs. A
//! stage that nobody needs is not built. Stages know those they need by number, so they can be built side by side.

use crate::{
    dockerfile::{Copy, Dockerfile, Instruction, Step, error::SyntaxError, expand::expand},
    error::Why,
    platform,
};
use davit_model::reference::Reference;
use std::collections::{BTreeMap, BTreeSet};

/// What a stage begins with, or a file is copied from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nothing.
    Scratch,
    /// An earlier stage.
    Stage(usize),
    /// An image.
    Image(Reference),
}

/// A stage of the Dockerfile.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) name: Option<String>,
    pub(crate) line: usize,
    /// `FROM …`, as written.
    pub(crate) text: String,
    pub(crate) origin: Origin,
    pub(crate) steps: Vec<Step>,
}

/// All stages, and what they may know.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) stages: Vec<Stage>,
    /// Values of `ARG` before the first `FROM`.
    pub(crate) globals: BTreeMap<String, String>,
    /// The character that escapes.
    pub(crate) escape: char,
}

/// An error with its line.
type Located = (usize, Why);

impl Plan {
    /// Reads the stages. `args` are the client's values for `ARG`.
    pub(crate) fn new(dockerfile: Dockerfile, args: &BTreeMap<String, String>) -> Result<Self, Located> {
        let escape = dockerfile.escape;
        let mut plan = Self { stages: Vec::new(), globals: BTreeMap::new(), escape };
        for step in dockerfile.steps {
            let line = step.line;
            match (step.instruction, plan.stages.last_mut()) {
                (Instruction::From { platform, base, name }, _) => {
                    let stage = plan.stage(line, step.text, platform.as_deref(), &base, name);
                    plan.stages.push(stage.map_err(|why| (line, why))?);
                }
                (Instruction::Arg(list), None) => {
                    for (name, default) in list {
                        let default = default.map(|d| plan.expand(&d)).transpose().map_err(|why| (line, why))?;
                        plan.globals.extend(args.get(&name).cloned().or(default).map(|value| (name, value)));
                    }
                }
                (instruction, Some(stage)) => stage.steps.push(Step { line, text: step.text, instruction }),
                (instruction, None) => return Err((line, SyntaxError::BeforeFrom(instruction.name()).into())),
            }
        }
        Ok(plan)
    }

    fn expand(&self, word: &str) -> Result<String, Why> {
        let lookup = |name: &str| self.globals.get(name).cloned().or_else(|| platform::variable(name));
        Ok(expand(word, self.escape, &lookup)?)
    }

    fn stage(
        &self,
        line: usize,
        text: String,
        platform: Option<&str>,
        base: &str,
        name: Option<String>,
    ) -> Result<Stage, Why> {
        if let Some(platform) = platform {
            platform::accept(&self.expand(platform)?)?;
        }
        if let Some(taken) = name.as_ref().filter(|n| self.named(n, self.stages.len()).is_some()) {
            return Err(Why::StageTaken(taken.clone()));
        }
        let base = self.expand(base)?;
        let origin = match base.as_str() {
            "" => {
                return Err(
                    SyntaxError::Missing { instruction: "FROM", what: "an image: the variable is empty" }.into()
                );
            }
            "scratch" => Origin::Scratch,
            base => match self.named(base, self.stages.len()) {
                Some(stage) => Origin::Stage(stage),
                None => Origin::Image(base.parse()?),
            },
        };
        Ok(Stage { name, line, text, origin, steps: Vec::new() })
    }

    /// The stage of that name before stage `before`.
    fn named(&self, name: &str, before: usize) -> Option<usize> {
        let name = name.to_ascii_lowercase();
        self.stages.iter().take(before).position(|s| s.name.as_ref() == Some(&name))
    }

    /// Where stage `user` copies from; none: the context.
    pub(crate) fn source(&self, user: usize, copy: &Copy) -> Result<Option<Origin>, Why> {
        let Some(from) = &copy.from else { return Ok(None) };
        if let Ok(number) = from.parse::<usize>() {
            return if number < user { Ok(Some(Origin::Stage(number))) } else { Err(Why::Stage(from.clone())) };
        }
        match self.named(from, user) {
            Some(stage) => Ok(Some(Origin::Stage(stage))),
            // A later stage's name would be taken for an image's.
            None if self.named(from, self.stages.len()).is_some() => Err(Why::Stage(from.clone())),
            None => Ok(Some(Origin::Image(from.parse()?))),
        }
    }

    /// The target's number: a name, a number, or the last stage.
    pub(crate) fn target(&self, wanted: Option<&str>) -> Option<usize> {
        let Some(wanted) = wanted.filter(|w| !w.is_empty()) else { return self.stages.len().checked_sub(1) };
        let number = || wanted.parse::<usize>().ok().filter(|n| *n < self.stages.len());
        self.named(wanted, self.stages.len()).or_else(number)
    }

    /// The stages that the target needs, in an order in which each comes after those that it needs. What is not
    /// supported in any of them is refused here, before anything is done.
    pub(crate) fn needed(&self, target: usize) -> Result<BTreeSet<usize>, Located> {
        let mut needed = BTreeSet::new();
        let mut open = vec![target];
        while let Some(number) = open.pop() {
            let Some(stage) = self.stages.get(number).filter(|_| needed.insert(number)) else { continue };
            if let Origin::Stage(base) = stage.origin {
                open.push(base);
            }
            for step in &stage.steps {
                if let Instruction::Copy(copy) = &step.instruction
                    && let Some(Origin::Stage(from)) = self.source(number, copy).map_err(|why| (step.line, why))?
                {
                    open.push(from);
                }
            }
        }
        // In the order of the file, so that the first error of the file is the one that is told.
        for stage in needed.iter().filter_map(|n| self.stages.get(*n)) {
            for step in &stage.steps {
                if let Instruction::Later { name, why } = step.instruction {
                    return Err((step.line, SyntaxError::NotYet { what: name, why }.into()));
                }
            }
        }
        Ok(needed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::parse;

    fn plan(text: &str) -> Result<Plan, Located> {
        Plan::new(parse(text).unwrap(), &BTreeMap::from([("V".to_owned(), "2".to_owned())]))
    }

    #[test]
    fn a_target_needs_what_it_begins_with_and_copies_from() {
        let text = "FROM scratch AS a\nFROM scratch AS unused\nRUN x\nFROM A AS c\nFROM scratch\nCOPY --from=c /x /\n";
        let plan = plan(text).unwrap();
        assert_eq!(plan.needed(3).unwrap(), BTreeSet::from([0, 2, 3]));
        assert_eq!(plan.target(None), Some(3));
        assert_eq!((plan.target(Some("C")), plan.target(Some("1"))), (Some(2), Some(1)));
        assert_eq!((plan.target(Some("none")), plan.target(Some("9"))), (None, None));
        // What is refused is refused where it is needed.
        let (line, why) = plan.needed(1).unwrap_err();
        assert_eq!(line, 3);
        assert!(why.to_string().starts_with("RUN is not supported yet"), "{why}");
    }

    #[test]
    fn arguments_before_from_choose_the_base() {
        let plan = plan("ARG V=1\nARG W=${V}x\nFROM a:$V-$W").unwrap();
        assert_eq!(plan.stages[0].origin, Origin::Image("a:2-2x".parse().unwrap()));
    }

    #[test]
    fn stages_that_cannot_be_are_refused() {
        for (text, line, why) in [
            ("FROM scratch AS a\nFROM scratch AS a", 2, "taken"),
            ("FROM $none", 1, "empty"),
            ("FROM UPPER/x", 1, "invalid reference"),
            ("FROM --platform=linux/mips64 a", 1, "platform linux/mips64"),
        ] {
            let (at, error) = plan(text).unwrap_err();
            assert_eq!(at, line, "{text}");
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
        let later = plan("FROM scratch AS a\nCOPY --from=b x /\nFROM scratch AS b").unwrap();
        assert_eq!(later.needed(0).unwrap_err().0, 2);
        let number = plan("FROM scratch\nCOPY --from=0 x /").unwrap();
        assert_eq!(number.needed(0).unwrap_err().0, 2);
    }
}
