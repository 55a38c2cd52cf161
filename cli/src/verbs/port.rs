//! `davit port`: where a container's ports are published.

use crate::{
    answer::{items, text},
    connect::{Call, segment},
    context::Context,
    error::{Error, Exit, Result},
};
use serde_json::Value;

/// List port mappings of a container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_name = "CONTAINER")]
    container: String,
    #[arg(value_name = "PORT[/PROTO]")]
    port: Option<String>,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let found = ctx.client.value(Call::get(format!("/containers/{}/json", segment(&args.container)))).await?;
    let empty = serde_json::Map::new();
    let ports = found.pointer("/NetworkSettings/Ports").and_then(Value::as_object).unwrap_or(&empty);
    let address = |binding: &Value| match text(binding, "/HostIp") {
        ip if ip.contains(':') => format!("[{ip}]:{}", text(binding, "/HostPort")),
        ip => format!("{ip}:{}", text(binding, "/HostPort")),
    };
    let mut lines = Vec::new();
    match args.port {
        Some(port) => {
            let port = if port.contains('/') { port } else { format!("{port}/tcp") };
            lines.extend(ports.get(&port).into_iter().flat_map(|b| items(b, "")).map(address));
            if lines.is_empty() {
                return Err(Error::Failed(format!("no public port '{port}' published for {}", args.container)));
            }
        }
        None => {
            for (port, bindings) in ports {
                lines.extend(items(bindings, "").iter().map(|b| format!("{port} -> {}", address(b))));
            }
        }
    }
    lines.sort();
    ctx.out.raw(&lines.into_iter().map(|l| l + "\n").collect::<String>())?;
    Ok(Exit::OK)
}
