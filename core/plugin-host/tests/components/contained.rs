//! What plugins of all kinds can do wrong, what must come of it, and how that is held.

use super::support::Memory;
use davit_model::{error::PortError, services::HttpResponse};
use std::{collections::BTreeSet, time::Duration};

/// What a plugin may not have said anywhere: the secret that its grant lets it use.
pub(crate) const SECRET: &str = "hunter2";

/// Stands for the deadline of the plugin at hand.
pub(crate) const DEADLINE: &str = "{deadline}";

/// Every behaviour that plugins of all kinds share, with what must come of it where nothing is granted. One that is not
/// here fails a test.
pub(crate) const COMMON: &[(&str, &str)] = &[
    ("endless-loop", "internal: no answer within its deadline of {deadline}"),
    ("endless-host-calls", "internal: no answer within its deadline of {deadline}"),
    ("allocate", "internal: it went past its memory of 16 MiB"),
    ("panic", "internal: it panicked"),
    ("recurse", "internal: it reached beyond its memory (endless recursion"),
    ("recurse-thin", "internal: it went past its stack of 512 KiB (endless recursion"),
    ("oversized-error", "xxxxxxxx"),
    ("fail", "internal: always broken"),
    ("fail-otherwise", "something is the matter"),
    ("refuse", "denied: not today"),
    ("unsteady", "conflict: it is "),
    ("panic-where-the-host-fails", "internal: it panicked"),
    ("oversized-argument", "internal: it was ended: "),
    ("oversized-random", "internal: it was ended: "),
    ("oversized-url", "invalid: a URL has at most 8192 bytes"),
    ("million-handles", "internal: it was ended: "),
    ("hoard-requests", "internal: a call has at most 32 MiB of requests, answers and secrets"),
    ("hoard-headers", "internal: a call has at most 32 MiB of requests, answers and secrets"),
    ("sleep-in-wasi", "internal: no answer within its deadline of {deadline}"),
    ("million-requests", "denied: http https://vault.example (grant \"http\" missing"),
    ("log-flood", "ok"),
    ("block-in-state", "denied: durable state (grant \"state\" missing"),
    ("block-in-secrets", "denied: secret \"stuck\" (grant \"secrets\" missing"),
    ("block-in-http", "denied: http https://vault.example (grant \"http\" missing"),
    ("ask-state", "denied: durable state (grant \"state\" missing"),
    ("ask-secret", "denied: secret \"vault-token\" (grant \"secrets\" missing"),
    ("ask-other-secret", "denied: secret \"root-password\""),
    ("ask-stored", "denied: stored credentials"),
    ("ask-http", "denied: http https://vault.example (grant \"http\" missing"),
    ("ask-other-http", "denied: http https://evil.example (grant \"http\" missing"),
    ("ask-look-alikes", "denied: http https://169.254.169.254 (grant \"http\" missing"),
    ("wrong-method", "denied: http https://reader.example (grant \"http\" missing"),
    ("leak-secret", "denied: secret"),
    ("secret-to-another-origin", "denied: secret \"reader-token\" (grant \"secrets\" missing"),
    ("leak-secret-in-form", "denied: secret"),
    ("read-guarded", "denied: secret"),
    ("write-state", "denied: durable state"),
    ("write-state-and-fail", "denied: durable state"),
    ("write-without-end", "denied: durable state"),
    ("oversized-value", "denied: durable state"),
    ("oversized-key", "denied: durable state"),
];

/// What comes of those that ask for something, where all that the manifest needs is granted, and nothing more.
pub(crate) const GRANTED: &[(&str, &str)] = &[
    ("million-requests", "internal: a call makes at most 16 HTTP requests"),
    ("block-in-state", "internal: no answer within its deadline of {deadline}"),
    ("block-in-secrets", "internal: no answer within its deadline of {deadline}"),
    ("block-in-http", "internal: no answer within its deadline of {deadline}"),
    ("ask-state", "ok"),
    ("panic-where-the-host-fails", "ok"),
    ("ask-secret", "ok"),
    ("ask-other-secret", "denied: secret \"root-password\""),
    ("ask-http", "ok"),
    ("ask-other-http", "denied: http https://evil.example"),
    ("ask-look-alikes", "denied: http https://169.254.169.254"),
    ("wrong-method", "denied: http POST https://reader.example (grant \"http\" missing"),
    ("leak-secret", "denied: http https://evil.example"),
    (
        "secret-to-another-origin",
        "denied: secret \"reader-token\" towards https://vault.example (grant \"secrets\" missing",
    ),
    ("leak-secret-in-form", "denied: http https://evil.example"),
    ("read-guarded", "ok"),
    ("write-state-and-fail", "conflict: changed my mind"),
    ("write-without-end", "internal: a call writes at most 1024 keys and 16777216 bytes"),
    ("oversized-value", "invalid: a state value has at most 1048576 bytes"),
    ("oversized-key", "invalid: a state key has 1 to 256 bytes, this one has 300"),
];

/// The behaviours of a table.
pub(crate) fn names(table: &[(&'static str, &str)]) -> BTreeSet<&'static str> {
    table.iter().map(|(name, _)| *name).collect()
}

/// Whether a deadline came before what was expected: it is of the wall clock, and the machine may be busy. Asked again, the
/// same comes to its own end.
pub(crate) fn overtaken<T>(outcome: &Result<T, PortError>, expected: &str) -> bool {
    const LATE: &str = "no answer within its deadline";
    !expected.contains(LATE) && outcome.as_ref().is_err_and(|e| e.to_string().contains(LATE))
}

/// How often something is asked again.
pub(crate) const TRIES: usize = 10;

/// Holds what came of a behaviour against what must: one clear error that names plugin and call, in time; or none.
pub(crate) fn judge<T>(outcome: &Result<T, PortError>, took: Duration, said_by: &str, name: &str, expected: &str) {
    assert!(took < Duration::from_secs(20), "{said_by}: {name} took {took:?}");
    match outcome {
        Ok(_) => assert_eq!(expected, "ok", "{said_by}: {name}"),
        Err(error) => {
            let text = error.to_string();
            let shown: String = text.chars().take(200).collect();
            assert!(text.starts_with(&format!("plugin {said_by}: ")), "{name}: {shown}");
            assert!(expected != "ok" && text.contains(expected), "{name}: {shown}");
            // One line, which says nothing of how the guest is built.
            assert!(!text.contains('\n') && !text.contains("wasm backtrace"), "{name}: {shown}");
            assert!(text.len() < 5000, "{name}: {} bytes", text.len());
            assert!(!text.contains(SECRET), "{name}: {shown}");
        }
    }
}

/// A web that answers everything with a token.
pub(crate) fn with_tokens(services: Memory) -> Memory {
    *services.web.lock().unwrap() = Some(Box::new(|_| {
        Ok(HttpResponse {
            status: 200,
            headers: vec![("x-token".to_owned(), "t0ken".to_owned())],
            body: br#"{"token":"t0ken","expires_in":300}"#.to_vec(),
        })
    }));
    services
}
