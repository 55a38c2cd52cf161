//! `davit version`: ours, and the daemon's.

use crate::{
    answer::{items, text},
    connect::Call,
    context::Context,
    error::{Exit, Result},
    template::Template,
};
use davit_api_types::API_VERSION;
use serde_json::{Value, json};

/// Show the version information of client and daemon
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
    let client = json!({
        "Version": env!("CARGO_PKG_VERSION"),
        "ApiVersion": API_VERSION,
        "Os": std::env::consts::OS,
        "Arch": arch(),
    });
    // Our own version is an answer also where the daemon has none.
    let (server, failed) = match ctx.client.value(Call::get("/version")).await {
        Ok(server) => (server, None),
        Err(error) => (Value::Null, Some(error)),
    };
    let both = json!({ "Client": client, "Server": server });
    match (&args.format, template) {
        (Some(_), Some(template)) if failed.is_none() => ctx.out.line(&template.render(&both)?)?,
        (Some(_), Some(template)) => ctx.out.line(&template.render(&both).unwrap_or_default())?,
        (Some(_), None) => ctx.out.line(&both.to_string())?,
        _ => ctx.out.raw(&shown(&both))?,
    }
    failed.map_or(Ok(Exit::OK), Err)
}

fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn shown(both: &Value) -> String {
    let line = |name: &str, value: &str| format!(" {:<18}{value}\n", format!("{name}:"));
    let platform =
        |side: &str| format!("{}/{}", text(both, &format!("/{side}/Os")), text(both, &format!("/{side}/Arch")));
    let mut all = "Client:\n".to_owned();
    all += &line("Version", text(both, "/Client/Version"));
    all += &line("API version", text(both, "/Client/ApiVersion"));
    all += &line("OS/Arch", &platform("Client"));
    if both.get("Server").is_some_and(Value::is_null) {
        return all;
    }
    all += "\nServer:\n";
    all += &line("Version", text(both, "/Server/Version"));
    let (newest, oldest) = (text(both, "/Server/ApiVersion"), text(both, "/Server/MinAPIVersion"));
    all += &line("API version", &format!("{newest} (minimum version {oldest})"));
    all += &line("OS/Arch", &platform("Server"));
    all += &line("Kernel", text(both, "/Server/KernelVersion"));
    for component in items(both, "/Server/Components") {
        if text(component, "/Name") != "Engine" {
            all += &line(text(component, "/Name"), text(component, "/Version"));
        }
    }
    all
}
