//! What can be wrong with the text of a Dockerfile.

/// A line that is not understood, or not done yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// The first word is no instruction.
    #[error("unknown instruction: {0}")]
    Unknown(String),
    /// Something that the instruction cannot do without.
    #[error("{instruction} requires {what}")]
    Missing {
        /// The instruction.
        instruction: &'static str,
        /// What it wants.
        what: &'static str,
    },
    /// A flag that the instruction does not have, or that is not done yet.
    #[error("{instruction}: the flag {flag} is not supported")]
    Flag {
        /// The instruction.
        instruction: &'static str,
        /// The flag as written.
        flag: String,
    },
    /// A flag without a value, or given twice.
    #[error("{instruction}: the flag {flag} {why}")]
    FlagValue {
        /// The instruction.
        instruction: &'static str,
        /// The flag.
        flag: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A word that should be `name=value`.
    #[error("{instruction}: {word:?} is not of the form name=value")]
    NameValue {
        /// The instruction.
        instruction: &'static str,
        /// The word.
        word: String,
    },
    /// Part of the language, and not of this builder yet.
    #[error("{what} is not supported yet: {why}")]
    NotYet {
        /// The instruction or form.
        what: &'static str,
        /// Why, and what to do.
        why: &'static str,
    },
    /// The directive names another character.
    #[error("the escape directive must name \\ or `, not {0:?}")]
    Escape(String),
    /// A directive stands twice.
    #[error("the directive {0} stands twice")]
    DirectiveTwice(String),
    /// Something before the first `FROM`.
    #[error("{0} before the first FROM: only ARG may stand there")]
    BeforeFrom(&'static str),
    /// No instruction at all.
    #[error("it holds no instruction")]
    Empty,
    /// A name of a stage that cannot be one.
    #[error("{0:?} is not a name for a stage: letters, digits, '-', '_' and '.', a letter first")]
    StageName(String),
    /// A text that is no value of its kind.
    #[error("{instruction}: {why}: {value:?}")]
    Value {
        /// The instruction.
        instruction: &'static str,
        /// What it should be.
        why: &'static str,
        /// What it is.
        value: String,
    },
    /// A word whose variables cannot be replaced.
    #[error(transparent)]
    Expand(#[from] super::expand::ExpandError),
}

/// Foreign text for a message: not endless.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}
