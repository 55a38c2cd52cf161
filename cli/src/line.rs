//! The grammar of the command line: options for all verbs, and the verbs. One help text a flag, Docker's names.

use crate::{
    error::{Error, Exit, Result},
    printer::Printer,
    verbs,
};
use clap::{
    Parser, Subcommand,
    builder::BoolishValueParser,
    error::{ContextKind, ContextValue},
};
use std::path::PathBuf;

/// A container engine whose policy is yours
#[derive(Debug, Parser)]
#[command(
    name = "davit",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    disable_version_flag = true,
    args_override_self = true
)]
pub(crate) struct Line {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options before the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The daemon's address: unix://PATH, tcp://HOST:PORT with TLS, or ssh://USER@HOST
    #[arg(short = 'H', long, env = "DAVIT_HOST", hide_env = true, value_name = "ADDRESS")]
    pub(crate) host: Option<String>,
    /// Start the daemon where none listens; the default for the default socket
    #[arg(
        long, env = "DAVIT_AUTOSTART", hide_env = true, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = BoolishValueParser::new(), hide_possible_values = true
    )]
    pub(crate) autostart: Option<bool>,
    /// Directory of the user's configuration and credentials [default: ~/.davit]
    #[arg(long, env = "DAVIT_CONFIG", hide_env = true, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// Speak TLS to a tcp:// address, and verify both sides
    #[arg(long)]
    pub(crate) tlsverify: bool,
    /// Whom to trust [default: ca.pem in the configuration's directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) tlscacert: Option<PathBuf>,
    /// Who we are [default: cert.pem there]
    #[arg(long, value_name = "FILE")]
    pub(crate) tlscert: Option<PathBuf>,
    /// The key of that [default: key.pem there]
    #[arg(long, value_name = "FILE")]
    pub(crate) tlskey: Option<PathBuf>,
    /// Print version
    #[arg(short = 'v', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
    /// Data root of a daemon that is started
    #[arg(long, env = "DAVIT_DATA_ROOT", hide = true, value_name = "DIR")]
    pub(crate) data_root: Option<PathBuf>,
    /// Exec root of a daemon that is started; the default socket lies in it
    #[arg(long, env = "DAVIT_EXEC_ROOT", hide = true, value_name = "DIR")]
    pub(crate) exec_root: Option<PathBuf>,
    /// Site's file of a daemon that is started
    #[arg(long, env = "DAVIT_CONFIG_FILE", hide = true, value_name = "FILE")]
    pub(crate) config_file: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Attach(verbs::attach::Args),
    Build(verbs::build::Args),
    Completion(verbs::completion::Args),
    #[command(subcommand)]
    Container(Container),
    Create(Box<verbs::create::Args>),
    Daemon(verbs::daemon::Args),
    Exec(verbs::exec::Args),
    #[command(subcommand)]
    Image(Image),
    Images(verbs::images::Args),
    Info(verbs::info::Args),
    Inspect(verbs::inspect::Args),
    Kill(verbs::kill::Args),
    Login(verbs::login::Args),
    Logout(verbs::logout::Args),
    Logs(verbs::logs::Args),
    Pause(verbs::pause::Args),
    #[command(subcommand)]
    Plugin(verbs::plugin::Plugin),
    Port(verbs::port::Args),
    Ps(verbs::ps::Args),
    Pull(verbs::pull::Args),
    Push(verbs::push::Args),
    Reload(verbs::reload::Args),
    Rename(verbs::rename::Args),
    Restart(verbs::restart::Args),
    Rm(verbs::rm::Args),
    Rmi(verbs::rmi::Args),
    Run(Box<verbs::run::Args>),
    Start(verbs::start::Args),
    Stats(verbs::stats::Args),
    Stop(verbs::stop::Args),
    #[command(subcommand)]
    System(System),
    Tag(verbs::tag::Args),
    Top(verbs::top::Args),
    Unpause(verbs::pause::UnpauseArgs),
    Update(verbs::update::Args),
    Version(verbs::version::Args),
    #[command(subcommand)]
    Volume(verbs::volume::Volume),
    Wait(verbs::wait::Args),
}

/// Manage containers
#[derive(Debug, Subcommand)]
pub(crate) enum Container {
    Attach(verbs::attach::Args),
    Create(Box<verbs::create::Args>),
    Exec(verbs::exec::Args),
    Inspect(verbs::inspect::Args),
    Kill(verbs::kill::Args),
    Logs(verbs::logs::Args),
    #[command(visible_aliases = ["list", "ps"])]
    Ls(verbs::ps::Args),
    Pause(verbs::pause::Args),
    Port(verbs::port::Args),
    Prune(verbs::prune::Args),
    Rename(verbs::rename::Args),
    Restart(verbs::restart::Args),
    #[command(visible_alias = "remove")]
    Rm(verbs::rm::Args),
    Run(Box<verbs::run::Args>),
    Start(verbs::start::Args),
    Stats(verbs::stats::Args),
    Stop(verbs::stop::Args),
    Top(verbs::top::Args),
    Unpause(verbs::pause::UnpauseArgs),
    Update(verbs::update::Args),
    Wait(verbs::wait::Args),
}

/// Manage images
#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    Build(verbs::build::Args),
    Inspect(verbs::inspect::Args),
    #[command(visible_alias = "list")]
    Ls(verbs::images::Args),
    Prune(verbs::prune::ImageArgs),
    Pull(verbs::pull::Args),
    Push(verbs::push::Args),
    #[command(visible_alias = "remove")]
    Rm(verbs::rmi::Args),
    Tag(verbs::tag::Args),
}

/// Manage the engine
#[derive(Debug, Subcommand)]
pub(crate) enum System {
    Info(verbs::info::Args),
    DialStdio(verbs::dial_stdio::Args),
}

/// Help and version are results; all else that clap refuses is an error with Docker's exit status.
pub(crate) fn refuse(refusal: &clap::Error, out: &Printer) -> Result<Exit> {
    use clap::error::ErrorKind::{
        ArgumentConflict, DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion,
        MissingRequiredArgument, MissingSubcommand,
    };
    match refusal.kind() {
        DisplayHelp | DisplayVersion => {
            let rendered = refusal.render();
            let text = if out.out_is_terminal() { rendered.ansi().to_string() } else { rendered.to_string() };
            out.raw(&text)?;
            Ok(Exit::OK)
        }
        DisplayHelpOnMissingArgumentOrSubcommand | MissingSubcommand => {
            out.note(refusal.render().to_string().trim_end());
            Ok(Exit::OK)
        }
        _ => {
            let text = refusal.render().to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let (head, rest) = text.split_once("\n\nUsage:").unwrap_or((text, ""));
            let parts = head.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
            let head = parts.collect::<Vec<_>>().join("; ");
            let usage = rest.lines().next().map(|line| format!("; usage:{line}")).unwrap_or_default();
            let message = format!("{head}{usage}");
            // As with Docker: a flag that makes no sense is one thing, words that are too few or too many another.
            let of_flag = match refusal.get(ContextKind::InvalidArg) {
                Some(ContextValue::String(name)) => name.starts_with('-'),
                _ => false,
            };
            match refusal.kind() {
                MissingRequiredArgument | ArgumentConflict => Err(Error::Usage(message)),
                _ if of_flag => Err(Error::Flag(message)),
                _ => Err(Error::Usage(message)),
            }
        }
    }
}
