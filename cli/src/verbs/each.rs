//! Verbs that do one thing to each of several objects: all are tried, each error is told, and any makes the exit 1.

use crate::{
    context::Context,
    error::{Exit, Result},
};

/// Runs `one` on each name; prints what it answers.
pub(super) async fn each(
    ctx: &Context,
    names: &[String],
    one: impl AsyncFn(&str) -> Result<Option<String>>,
) -> Result<Exit> {
    let mut exit = Exit::OK;
    for name in names {
        match one(name).await {
            Ok(Some(text)) => ctx.out.line(&text)?,
            Ok(None) => {}
            Err(error) => {
                ctx.out.failure(&error);
                exit = Exit(1);
            }
        }
    }
    Ok(exit)
}
