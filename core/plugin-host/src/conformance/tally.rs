//! How many of a function's generated requests were refused, and how.

use super::{imagined::Asked, session::Said};
use crate::question::Question;
use davit_model::error::PortError;

/// The answers to one function's requests.
#[derive(Debug, Default)]
pub(super) struct Tally {
    asked: u32,
    refused: u32,
    last: Option<(Question, PortError)>,
    /// Refused after the web was asked in vain.
    offline: Option<Question>,
    /// The last refusal came after a look at the configuration.
    configured: bool,
}

impl Tally {
    pub(super) fn count(&mut self, question: &Question, said: &Said, asked: Asked) {
        self.asked += 1;
        if let Err(error) = said {
            self.refused += 1;
            self.last = Some((question.clone(), error.clone()));
            self.configured = asked.config;
            if asked.web {
                self.offline = Some(question.clone());
            }
        }
    }

    pub(super) fn asked(&self) -> u32 {
        self.asked
    }

    /// The last refusal, where there was nothing else.
    pub(super) fn nothing_but_refusals(&self) -> Option<&(Question, PortError)> {
        self.last.as_ref().filter(|_| self.refused == self.asked)
    }

    /// Whether the last refusal may be for want of a configuration.
    pub(super) fn read_its_configuration(&self) -> bool {
        self.configured
    }

    /// A request that may only be refused because nobody answers on the web.
    pub(super) fn for_want_of_the_web(&self) -> Option<&Question> {
        self.offline.as_ref()
    }
}
