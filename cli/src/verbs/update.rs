//! `davit update`: other limits and another restart policy for containers.

use super::each::each;
use crate::{
    answer::texts,
    connect::{Call, segment},
    context::Context,
    error::{Error, Exit, Result},
    quantity,
    spec::restart_policy,
};
use serde_json::{Map, Value, json};

/// Update configuration of one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Share of CPU time against other containers
    #[arg(short = 'c', long, value_name = "SHARES")]
    cpu_shares: Option<i64>,
    /// Microseconds of CPU time in each period
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_quota: Option<i64>,
    /// The period of the quota in microseconds
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_period: Option<i64>,
    /// Number of CPUs
    #[arg(long, value_name = "NUMBER")]
    cpus: Option<String>,
    /// CPUs to run on (0-3, 0,1)
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes to use (0-3, 0,1)
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Memory limit
    #[arg(short = 'm', long, value_name = "BYTES")]
    memory: Option<String>,
    /// Memory soft limit
    #[arg(long, value_name = "BYTES")]
    memory_reservation: Option<String>,
    /// Memory and swap together; -1 for unlimited swap
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    memory_swap: Option<String>,
    /// Limit of processes
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// Restart policy: no, always, unless-stopped, on-failure[:N]
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let body = body(&args)?;
    if body.is_empty() {
        return Err(Error::usage("nothing to change: say at least one limit, or --restart"));
    }
    let body = Value::Object(body);
    each(ctx, &args.containers, async |name| {
        let call = Call::post(format!("/containers/{}/update", segment(name)));
        let done = ctx.client.value(call.json(&body)).await?;
        texts(&done, "/Warnings").into_iter().for_each(|w| ctx.out.note(&format!("WARNING: {w}")));
        Ok(Some(name.to_owned()))
    })
    .await
}

fn body(args: &Args) -> Result<Map<String, Value>> {
    let mut body = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    let bytes = |text: &Option<String>| text.as_deref().map(quantity::bytes).transpose();
    let swap = match args.memory_swap.as_deref() {
        Some("-1") => Some(-1),
        _ => bytes(&args.memory_swap)?,
    };
    set("CpuShares", args.cpu_shares.map(Value::from));
    set("CpuQuota", args.cpu_quota.map(Value::from));
    set("CpuPeriod", args.cpu_period.map(Value::from));
    set("NanoCpus", args.cpus.as_deref().map(quantity::nano_cpus).transpose()?.map(Value::from));
    set("CpusetCpus", args.cpuset_cpus.clone().map(Value::from));
    set("CpusetMems", args.cpuset_mems.clone().map(Value::from));
    set("Memory", bytes(&args.memory)?.map(Value::from));
    set("MemoryReservation", bytes(&args.memory_reservation)?.map(Value::from));
    set("MemorySwap", swap.map(Value::from));
    set("PidsLimit", args.pids_limit.map(Value::from));
    set("RestartPolicy", args.restart.as_deref().map(restart_policy).transpose()?.map(|p| json!(p)));
    Ok(body)
}
