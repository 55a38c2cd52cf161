//! Signals on their way to a container, and the size of the terminal after them.

use crate::{
    connect::{Call, Client, segment},
    error::{Error, Result},
    terminal,
};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How many of Ctrl-C's signals make us give up on a container that ignores them.
const ENOUGH: u32 = 3;

/// What is passed on, by its number and name.
fn passed_on() -> [(SignalKind, &'static str); 7] {
    [
        (SignalKind::interrupt(), "INT"),
        (SignalKind::terminate(), "TERM"),
        (SignalKind::hangup(), "HUP"),
        (SignalKind::quit(), "QUIT"),
        (SignalKind::user_defined1(), "USR1"),
        (SignalKind::user_defined2(), "USR2"),
        (SignalKind::alarm(), "ALRM"),
    ]
}

/// Signals to us, taken from the moment this is made.
pub(crate) struct Proxy {
    signals: Vec<(Signal, &'static str)>,
}

impl Proxy {
    pub(crate) fn new() -> Result<Self> {
        let mut signals = Vec::new();
        for (kind, name) in passed_on() {
            signals.push((signal(kind).map_err(Error::io("catch signal", name))?, name));
        }
        Ok(Self { signals })
    }

    /// Passes signals on to a container; returns only after the third Ctrl-C or TERM.
    pub(crate) async fn pass_on(mut self, client: &Client, id: &str) {
        let mut asked = 0;
        loop {
            let name = self.next().await;
            if matches!(name, "INT" | "TERM") {
                asked += 1;
            }
            let call = Call::post(format!("/containers/{}/kill", segment(id)))
                .query("signal", name)
                .patience(Duration::from_secs(10));
            // A container that has not begun, or has ended, takes none.
            let _ = client.done(call).await;
            if asked == ENOUGH {
                return;
            }
        }
    }

    async fn next(&mut self) -> &'static str {
        std::future::poll_fn(|cx| {
            for (signal, name) in &mut self.signals {
                if signal.poll_recv(cx).is_ready() {
                    return std::task::Poll::Ready(*name);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

/// Waits for a signal that ends us: Ctrl-C, TERM, HUP. They are taken from the moment this is called.
pub(crate) fn ended() -> Result<impl Future<Output = ()>> {
    let take = |kind, name: &'static str| signal(kind).map_err(Error::io("catch signal", name));
    let mut interrupt = take(SignalKind::interrupt(), "INT")?;
    let mut terminate = take(SignalKind::terminate(), "TERM")?;
    let mut hangup = take(SignalKind::hangup(), "HUP")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// Tells the daemon our terminal's size at once and whenever it changes. `path`: `/containers/x/resize` or an exec's.
pub(crate) async fn follow_size(client: &Client, path: String) {
    let Ok(mut changed) = signal(SignalKind::window_change()) else { return };
    loop {
        if let Some((rows, columns)) = terminal::size() {
            let call = Call::post(&path).query("h", rows).query("w", columns).patience(Duration::from_secs(10));
            // A container that has just ended has no size.
            let _ = client.done(call).await;
        }
        changed.recv().await;
    }
}
