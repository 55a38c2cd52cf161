//! `push`.

use super::{Answer, progress};
use crate::extract::Offered;
use davit_engine::Engine;
use davit_model::{id::Caller, reference::Reference};

pub(super) async fn push(engine: &Engine, caller: &Caller, reference: Reference, offered: Offered) -> Answer {
    let credential = offered.for_server(reference.registry());
    progress::answer(engine.push(caller, &reference, credential).await?).await
}
