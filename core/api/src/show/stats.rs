//! A reading of `stats`. A container that does not run has its name and zeros.

use super::time::rfc3339;
use davit_engine::{Reading, Traffic};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// A reading beside the one before it (the default one where there is none).
pub(crate) fn stats(before: &Reading, now: &Reading) -> Value {
    let when = |r: &Reading| rfc3339((r.time != Timestamp::default()).then_some(r.time));
    let networks: Map<String, Value> = now.networks.iter().map(|(name, t)| (name.clone(), traffic(t))).collect();
    let pids = now.usage.pids.clone().unwrap_or_default();
    let mut shown = json!({
        "id": now.id,
        "name": format!("/{}", now.name),
        "os_type": "linux",
        "read": when(now),
        "preread": when(before),
        "num_procs": 0,
        "pids_stats": {},
        "cpu_stats": cpu(now),
        "precpu_stats": cpu(before),
        "memory_stats": memory(now),
        "blkio_stats": block_io(now),
        "storage_stats": {},
    });
    if let (true, Some(fields)) = (now.runs, shown.as_object_mut()) {
        fields
            .insert("pids_stats".to_owned(), json!({"current": pids.current, "limit": pids.limit.unwrap_or(u64::MAX)}));
        if !networks.is_empty() {
            fields.insert("networks".to_owned(), Value::Object(networks));
        }
    }
    shown
}

fn cpu(reading: &Reading) -> Value {
    let cpu = reading.usage.cpu.clone().unwrap_or_default();
    let mut shown = json!({
        "cpu_usage": {
            "total_usage": cpu.total, "usage_in_kernelmode": cpu.system, "usage_in_usermode": cpu.user,
        },
        "throttling_data": {
            "periods": cpu.periods, "throttled_periods": cpu.throttled_periods, "throttled_time": cpu.throttled_time,
        },
    });
    if let (true, Some(fields)) = (reading.runs, shown.as_object_mut()) {
        fields.insert("system_cpu_usage".to_owned(), json!(reading.system_cpu));
        fields.insert("online_cpus".to_owned(), json!(reading.cpus));
    }
    shown
}

/// Clients subtract page cache that could go at once; those of v1 look for another name of it.
fn memory(reading: &Reading) -> Value {
    let Some(memory) = &reading.usage.memory else { return json!({}) };
    json!({
        "usage": memory.usage,
        "max_usage": memory.peak,
        "limit": memory.limit.unwrap_or(reading.memory).min(reading.memory),
        "stats": {
            "inactive_file": memory.inactive_file, "total_inactive_file": memory.inactive_file, "swap": memory.swap,
        },
    })
}

fn block_io(reading: &Reading) -> Value {
    let mut bytes = Vec::new();
    for io in &reading.usage.io {
        for (op, value) in [("read", io.read), ("write", io.written)] {
            bytes.push(json!({"major": io.major, "minor": io.minor, "op": op, "value": value}));
        }
    }
    let bytes = if bytes.is_empty() { Value::Null } else { Value::Array(bytes) };
    json!({
        "io_service_bytes_recursive": bytes, "io_serviced_recursive": null, "io_queue_recursive": null,
        "io_service_time_recursive": null, "io_wait_time_recursive": null, "io_merged_recursive": null,
        "io_time_recursive": null, "sectors_recursive": null,
    })
}

fn traffic(t: &Traffic) -> Value {
    let ([rx_bytes, rx_packets, rx_errors, rx_dropped], [tx_bytes, tx_packets, tx_errors, tx_dropped]) =
        (t.received, t.sent);
    json!({
        "rx_bytes": rx_bytes, "rx_packets": rx_packets, "rx_errors": rx_errors, "rx_dropped": rx_dropped,
        "tx_bytes": tx_bytes, "tx_packets": tx_packets, "tx_errors": tx_errors, "tx_dropped": tx_dropped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_does_not_run_has_zeros_and_no_network() {
        let reading = Reading { id: "ab".into(), name: "one".into(), ..Reading::default() };
        let shown = stats(&Reading::default(), &reading);
        assert_eq!((&shown["id"], &shown["name"]), (&json!("ab"), &json!("/one")));
        assert_eq!(shown["cpu_stats"]["cpu_usage"]["total_usage"], 0);
        assert_eq!(shown["memory_stats"], json!({}));
        assert!(shown.get("networks").is_none());
        serde_json::from_value::<davit_api_types::models::ContainerStatsResponse>(shown).unwrap();
    }

    #[test]
    fn a_container_without_a_limit_is_limited_by_the_machine() {
        let usage = with_memory(40, None);
        let reading = Reading { memory: 100, runs: true, usage, time: Timestamp::UNIX_EPOCH, ..Reading::default() };
        assert_eq!(stats(&Reading::default(), &reading)["memory_stats"]["limit"], 100);
    }

    fn with_memory(usage: u64, limit: Option<u64>) -> davit_engine::Usage {
        let memory = serde_json::json!({"usage": usage, "peak": 0, "limit": limit, "inactive_file": 0, "swap": 0});
        serde_json::from_value(serde_json::json!({"memory": memory, "cpu": null, "pids": null})).unwrap()
    }
}
