//! What every verb gets.

use crate::{connect::Client, printer::Printer};
use std::path::PathBuf;

#[derive(Debug)]
pub(crate) struct Context {
    /// The daemon.
    pub(crate) client: Client,
    /// Where output goes.
    pub(crate) out: Printer,
    /// The user's own directory of Davit: credentials.
    pub(crate) home: PathBuf,
}
