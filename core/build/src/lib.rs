//! From a Dockerfile and a build context to an image, without running anything. Knows neither HTTP nor the engine: it
//! takes the client's archive as a file, and asks a port of its own ([`Images`]) for bases and for a place for layers.
//!
//! A walk through [`build()`]:
//! 1. `context` reads the client's tar into an index (`tree`), less what `ignore` (`.dockerignore`) takes out.
//! 2. `dockerfile` turns the text into instructions; `plan` turns those into stages, and says which the target needs and
//!    that nothing in them is beyond this builder (`RUN`, …): that is refused with file and line, before any work.
//! 3. `stage` does the instructions of one stage: `config` holds the image's configuration, `copy` puts files of one
//!    tree into a `layer` upon another. Trees are indices over archives: a build touches no file system, so no name
//!    and no link in a context or an image can lead out of it.
//! 4. A layer's bytes follow from its files alone, so its digest is the key of the cache: what was built before, by
//!    whomever, is there already. `commit` at the end makes the image and its names exist.

mod build;
mod config;
mod context;
mod copy;
mod dockerfile;
mod error;
mod ignore;
mod images;
mod layer;
mod owner;
mod pattern;
mod plan;
mod platform;
mod stage;
mod tree;

pub use build::{Options, build};
pub use config::ConfigError;
pub use copy::CopyError;
pub use dockerfile::{error::SyntaxError, expand::ExpandError};
pub use error::{BuildError, Why};
pub use images::{Base, Descriptor, Failure, Finished, Images, Layer, Line, Put};
pub use layer::LayerError;
pub use owner::OwnerError;
pub use pattern::PatternError;
pub use tree::{ArchiveError, ResolveError};

/// Reads a Dockerfile and builds nothing: how many instructions it has, or the line and what is wrong there.
pub fn check_syntax(text: &str) -> Result<usize, (usize, SyntaxError)> {
    dockerfile::parse(text).map(|file| file.steps.len())
}
