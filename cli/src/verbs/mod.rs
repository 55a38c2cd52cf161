//! The verbs, one a file: its flags, and what it does. The same names are in the daemon's API and engine.

pub(crate) mod attach;
pub(crate) mod build;
pub(crate) mod completion;
pub(crate) mod create;
pub(crate) mod daemon;
pub(crate) mod dial_stdio;
mod each;
pub(crate) mod exec;
mod filters;
pub(crate) mod images;
pub(crate) mod info;
pub(crate) mod inspect;
pub(crate) mod kill;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod logs;
pub(crate) mod pause;
pub(crate) mod plugin;
pub(crate) mod port;
pub(crate) mod prune;
pub(crate) mod ps;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod reload;
pub(crate) mod rename;
pub(crate) mod restart;
pub(crate) mod rm;
pub(crate) mod rmi;
pub(crate) mod run;
pub(crate) mod start;
pub(crate) mod stats;
pub(crate) mod stop;
pub(crate) mod tag;
pub(crate) mod top;
pub(crate) mod update;
pub(crate) mod version;
pub(crate) mod volume;
pub(crate) mod wait;

use crate::{
    connect::{Autostart, Client, Host, Roots, TlsFiles},
    context::Context,
    error::{Error, Exit, Result},
    line::{Container, Image, Line, Options, System, Verb},
    printer::Printer,
};
use davit_api_types::DEFAULT_SOCKET;
use std::path::PathBuf;

/// Does what the line says.
pub(crate) fn dispatch(line: Line, out: &Printer) -> Result<Exit> {
    match line.verb {
        Verb::Completion(args) => completion::run(args, out),
        Verb::Daemon(args) => daemon::run(args, &line.options, out),
        verb => {
            // One thread: most verbs ask one question, and a pool of threads takes longer to start than the answer.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(Error::io("start", "the event loop"))?;
            let done = context(&line.options, out).and_then(|ctx| runtime.block_on(ask(&ctx, verb)));
            // A read of standard input may be under way on a thread; it ends with the process.
            runtime.shutdown_background();
            done
        }
    }
}

async fn ask(ctx: &Context, verb: Verb) -> Result<Exit> {
    match verb {
        Verb::Attach(args) | Verb::Container(Container::Attach(args)) => attach::run(ctx, args).await,
        Verb::Build(args) | Verb::Image(Image::Build(args)) => build::run(ctx, args).await,
        Verb::Create(args) | Verb::Container(Container::Create(args)) => create::run(ctx, *args).await,
        Verb::Exec(args) | Verb::Container(Container::Exec(args)) => exec::run(ctx, args).await,
        Verb::Images(args) | Verb::Image(Image::Ls(args)) => images::run(ctx, args).await,
        Verb::Info(args) | Verb::System(System::Info(args)) => info::run(ctx, args).await,
        Verb::Inspect(args) => inspect::run(ctx, args, None).await,
        Verb::Container(Container::Inspect(args)) => inspect::run(ctx, args, Some(inspect::Kind::Container)).await,
        Verb::Image(Image::Inspect(args)) => inspect::run(ctx, args, Some(inspect::Kind::Image)).await,
        Verb::Kill(args) | Verb::Container(Container::Kill(args)) => kill::run(ctx, args).await,
        Verb::Login(args) => login::run(ctx, args).await,
        Verb::Logout(args) => logout::run(ctx, args),
        Verb::Logs(args) | Verb::Container(Container::Logs(args)) => logs::run(ctx, args).await,
        Verb::Pause(args) | Verb::Container(Container::Pause(args)) => pause::run(ctx, args).await,
        Verb::Unpause(args) | Verb::Container(Container::Unpause(args)) => pause::unpause(ctx, args).await,
        Verb::Container(Container::Prune(args)) => prune::containers(ctx, args).await,
        Verb::Image(Image::Prune(args)) => prune::images(ctx, args).await,
        Verb::Rename(args) | Verb::Container(Container::Rename(args)) => rename::run(ctx, args).await,
        Verb::Stats(args) | Verb::Container(Container::Stats(args)) => stats::run(ctx, args).await,
        Verb::Update(args) | Verb::Container(Container::Update(args)) => update::run(ctx, args).await,
        Verb::Plugin(which) => plugin::run(ctx, which).await,
        Verb::Port(args) | Verb::Container(Container::Port(args)) => port::run(ctx, args).await,
        Verb::Ps(args) | Verb::Container(Container::Ls(args)) => ps::run(ctx, args).await,
        Verb::Pull(args) | Verb::Image(Image::Pull(args)) => pull::run(ctx, args).await,
        Verb::Push(args) | Verb::Image(Image::Push(args)) => push::run(ctx, args).await,
        Verb::Reload(args) => reload::run(ctx, args).await,
        Verb::Restart(args) | Verb::Container(Container::Restart(args)) => restart::run(ctx, args).await,
        Verb::Rm(args) | Verb::Container(Container::Rm(args)) => rm::run(ctx, args).await,
        Verb::Rmi(args) | Verb::Image(Image::Rm(args)) => rmi::run(ctx, args).await,
        Verb::Run(args) | Verb::Container(Container::Run(args)) => run::run(ctx, *args).await,
        Verb::Start(args) | Verb::Container(Container::Start(args)) => start::run(ctx, args).await,
        Verb::Stop(args) | Verb::Container(Container::Stop(args)) => stop::run(ctx, args).await,
        Verb::System(System::DialStdio(args)) => dial_stdio::run(ctx, args).await,
        Verb::Tag(args) | Verb::Image(Image::Tag(args)) => tag::run(ctx, args).await,
        Verb::Top(args) | Verb::Container(Container::Top(args)) => top::run(ctx, args).await,
        Verb::Version(args) => version::run(ctx, args).await,
        Verb::Volume(which) => volume::run(ctx, which).await,
        Verb::Wait(args) | Verb::Container(Container::Wait(args)) => wait::run(ctx, args).await,
        Verb::Completion(_) | Verb::Daemon(_) => Ok(Exit::OK),
    }
}

fn context(options: &Options, out: &Printer) -> Result<Context> {
    let home = options
        .config
        .clone()
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".davit")))
        .ok_or_else(|| Error::usage("HOME is not set: say --config DIR"))?;
    let tls = options.tlsverify.then(|| TlsFiles {
        ca: options.tlscacert.clone().unwrap_or_else(|| home.join("ca.pem")),
        cert: options.tlscert.clone().unwrap_or_else(|| home.join("cert.pem")),
        key: options.tlskey.clone().unwrap_or_else(|| home.join("key.pem")),
    });
    let host = match &options.host {
        Some(text) => Host::parse(text, tls)?,
        None => Host::unix(default_socket(options))?,
    };
    let autostart = match &host {
        Host::Unix(socket) if options.autostart.unwrap_or(*socket == default_socket(options)) => {
            Some(Autostart { socket: socket.clone(), roots: roots(options), out: *out })
        }
        _ => None,
    };
    Ok(Context { client: Client::new(host, autostart), out: *out, home })
}

/// Where a daemon of these roots listens when nothing else is said.
fn default_socket(options: &Options) -> PathBuf {
    options.exec_root.as_ref().map_or_else(|| PathBuf::from(DEFAULT_SOCKET), |root| root.join("davit.sock"))
}

fn roots(options: &Options) -> Roots {
    Roots { data: options.data_root.clone(), exec: options.exec_root.clone(), config: options.config_file.clone() }
}
