//! Python: not built by this program yet.

use super::Project;
use anyhow::{Result, bail};

pub(super) fn build(project: &Project) -> Result<Vec<u8>> {
    bail!("{}: plugins in Python cannot be built yet", project.dir.display())
}
