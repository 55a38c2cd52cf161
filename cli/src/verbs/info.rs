//! `davit info`: the daemon, in words.

use crate::{
    answer::{items, number, text, texts},
    connect::Call,
    context::Context,
    error::{Exit, Result},
    quantity,
    template::Template,
};
use serde_json::Value;
use std::fmt::Write;

/// Display system-wide information
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format output: json, or a Go template
    #[arg(short = 'f', long, value_name = "FORMAT")]
    format: Option<String>,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let template = match args.format.as_deref() {
        None | Some("json") => None,
        Some(format) => Some(Template::of_object(format)?),
    };
    let info = ctx.client.value(Call::get("/info")).await?;
    match (args.format, template) {
        (_, Some(template)) => ctx.out.line(&template.render(&info)?)?,
        (Some(_), None) => ctx.out.line(&info.to_string())?,
        (None, None) => ctx.out.raw(&shown(&info))?,
    }
    for warning in texts(&info, "/Warnings") {
        ctx.out.note(
            if warning.starts_with("WARNING") { warning.to_owned() } else { format!("WARNING: {warning}") }.as_str(),
        );
    }
    Ok(Exit::OK)
}

fn shown(info: &Value) -> String {
    let mut all = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(all, "{name}: {value}");
        }
    };
    line("Containers", &number(info, "/Containers").to_string());
    line(" Running", &number(info, "/ContainersRunning").to_string());
    line(" Paused", &number(info, "/ContainersPaused").to_string());
    line(" Stopped", &number(info, "/ContainersStopped").to_string());
    line("Images", &number(info, "/Images").to_string());
    line("Server Version", text(info, "/ServerVersion"));
    line("Storage Driver", text(info, "/Driver"));
    for pair in items(info, "/DriverStatus") {
        line(&format!(" {}", text(pair, "/0")), text(pair, "/1"));
    }
    line("Logging Driver", text(info, "/LoggingDriver"));
    line("Cgroup Driver", text(info, "/CgroupDriver"));
    line("Cgroup Version", text(info, "/CgroupVersion"));
    line("Networks", &texts(info, "/Plugins/Network").join(" "));
    line("Security Options", &texts(info, "/SecurityOptions").join(" "));
    line("Kernel Version", text(info, "/KernelVersion"));
    line("Operating System", text(info, "/OperatingSystem"));
    line("OSType", text(info, "/OSType"));
    line("Architecture", text(info, "/Architecture"));
    line("CPUs", &number(info, "/NCPU").to_string());
    line("Total Memory", &quantity::human(number(info, "/MemTotal")));
    line("Name", text(info, "/Name"));
    line("ID", text(info, "/ID"));
    line("Davit Root Dir", text(info, "/DockerRootDir"));
    for label in texts(info, "/Labels") {
        line("Label", label);
    }
    all
}
