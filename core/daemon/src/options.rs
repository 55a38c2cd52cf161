//! davitd's words on the command line: dockerd's, where dockerd has them.

use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// The Davit daemon: engine, API and plugins.
#[derive(Debug, Parser)]
#[command(name = "davitd", version, about)]
pub(crate) struct Options {
    /// Where to listen: unix:///path or fd:// (a socket of systemd's); may be given again
    /// [default: unix://<exec-root>/davit.sock]
    #[arg(short = 'H', long = "host", value_name = "ADDRESS")]
    pub(crate) hosts: Vec<String>,

    /// Root folder of what is durable
    #[arg(long, value_name = "DIR", default_value = "/var/lib/davit")]
    pub(crate) data_root: PathBuf,

    /// Root folder of what a reboot may forget
    #[arg(long, value_name = "DIR", default_value = "/run/davit")]
    pub(crate) exec_root: PathBuf,

    /// The site's file [default: /etc/davit/config.toml, else the one shipped beside the plugins]
    #[arg(long, value_name = "FILE")]
    pub(crate) config_file: Option<PathBuf>,

    /// Where the daemon writes its process id [default: <exec-root>/davitd.pid]
    #[arg(short = 'p', long, value_name = "FILE")]
    pub(crate) pidfile: Option<PathBuf>,

    /// How much is logged
    #[arg(short = 'l', long, value_enum, default_value_t = Level::Info)]
    pub(crate) log_level: Level,

    /// More logging, as --log-level debug
    #[arg(short = 'D', long)]
    pub(crate) debug: bool,

    /// Read the site's file, load and probe its plugins, say what is wrong, and end
    #[arg(long)]
    pub(crate) validate: bool,

    /// Group that may use the socket
    #[arg(short = 'G', long, value_name = "GROUP")]
    pub(crate) group: Option<String>,

    /// Folder of the shipped plugins [default: plugins/ beside this program, else /usr/lib/davit/plugins]
    #[arg(long, value_name = "DIR")]
    pub(crate) plugin_dir: Option<PathBuf>,

    /// The davit-runtime program [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) runtime: Option<PathBuf>,
}

/// Levels of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Every step.
    Debug,
    /// What an operator wants to know.
    Info,
    /// What looks wrong.
    Warn,
    /// What failed.
    Error,
    /// As error: the daemon ends where it cannot go on.
    Fatal,
}

impl Options {
    /// The filter for the log's subscriber.
    pub(crate) fn filter(&self) -> &'static str {
        match self.log_level {
            _ if self.debug => "debug",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error | Level::Fatal => "error",
        }
    }
}
