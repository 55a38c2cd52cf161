//! Progress of pull and push: bars on a terminal, a line for each change of state elsewhere.

use crate::{
    error::{Error, Result},
    printer::Printer,
};
use davit_api_types::progress::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{collections::HashMap, time::Duration};

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loudness {
    /// Errors only.
    Quiet,
    /// Bars where there is a terminal; plain lines to standard output elsewhere.
    Result,
    /// The same, all of it to standard error: standard output belongs to a container.
    Aside,
}

/// Shows lines of progress as they come.
pub(crate) struct Transfer {
    out: Printer,
    loudness: Loudness,
    bars: Option<Bars>,
}

impl Transfer {
    pub(crate) fn new(out: Printer, loudness: Loudness) -> Self {
        let bars = loudness != Loudness::Quiet && out.err_is_terminal();
        // A terminal that cannot be drawn on gets lines.
        let bars = bars.then(Bars::new).filter(|bars| !bars.all.is_hidden());
        Self { out, loudness, bars }
    }

    /// Takes one line of the daemon's answer.
    pub(crate) fn take(&mut self, line: &[u8]) -> Result<()> {
        let progress: Progress = serde_json::from_slice(line)
            .map_err(|e| Error::Answer { request: "progress".to_owned(), reason: e.to_string() })?;
        if let Some(message) = progress.failure() {
            return Err(Error::Failed(message.to_owned()));
        }
        if progress.aux.is_some() {
            // Facts for programs; what people need of them is in the other lines.
            return Ok(());
        }
        let status = progress.status.unwrap_or_default();
        let detail = progress.progress_detail.unwrap_or_default();
        match (progress.id, &mut self.bars) {
            (Some(id), Some(bars)) => {
                bars.show(&id, &status, detail.current, detail.total);
                Ok(())
            }
            // Figures are for bars: as lines they would be thousands.
            (Some(_), None) if detail.current.is_some() => Ok(()),
            (Some(id), None) => self.say(&format!("{id}: {status}")),
            (None, _) => self.say(&status),
        }
    }

    fn say(&self, text: &str) -> Result<()> {
        let say = || match self.loudness {
            Loudness::Quiet => Ok(()),
            Loudness::Aside => {
                self.out.note(text);
                Ok(())
            }
            Loudness::Result => self.out.line(text),
        };
        match &self.bars {
            Some(bars) => bars.all.suspend(say),
            None => say(),
        }
    }
}

/// One bar a layer.
struct Bars {
    all: MultiProgress,
    of: HashMap<String, ProgressBar>,
}

impl Bars {
    fn new() -> Self {
        Self { all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)), of: HashMap::new() }
    }

    fn show(&mut self, id: &str, status: &str, current: Option<u64>, total: Option<u64>) {
        let all = &self.all;
        let bar = self.of.entry(id.to_owned()).or_insert_with(|| {
            let bar = all.add(ProgressBar::no_length());
            bar.set_prefix(id.to_owned());
            bar
        });
        match (current, total.filter(|t| *t > 0)) {
            (Some(current), Some(total)) => {
                bar.set_style(style("{prefix}: {msg} [{bar:40}] {bytes}/{total_bytes}"));
                bar.set_length(total);
                bar.set_position(current);
            }
            (Some(current), None) if current > 0 => {
                bar.set_style(style("{prefix}: {msg} {bytes}"));
                bar.set_position(current);
            }
            _ => bar.set_style(style("{prefix}: {msg}")),
        }
        bar.set_message(status.to_owned());
        if matches!(status, "Pull complete" | "Already exists" | "Pushed" | "Layer already exists") {
            bar.abandon();
        } else {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        for bar in self.of.values() {
            // Leaves the last state of each on the screen, and stops its ticking.
            bar.abandon();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_within_the_stream_ends_it() {
        let mut transfer = Transfer::new(Printer::new(), Loudness::Quiet);
        transfer.take(br#"{"status":"Pulling fs layer","id":"aa"}"#).unwrap();
        let error = transfer.take(br#"{"errorDetail":{"message":"layer is corrupt"},"error":"x"}"#).unwrap_err();
        assert_eq!(error.to_string(), "layer is corrupt");
        assert!(transfer.take(b"<html>").is_err());
    }
}
