//! Storage drivers: layers are prepared and committed, roots are made of them, and all of it can be taken away again.

use super::{
    chance::Chance,
    session::{Found, Session, Why, unexpected},
    tally::Tally,
};
use crate::question::{Question, Reply, StorageCall};
use davit_model::{
    id::ContainerId,
    storage::{CommitPlan, Facts, LayerChain, LayerPlan, LayerRef, Place, RootPlan},
};
use std::collections::{BTreeMap, BTreeSet};

/// The longest chain: what overlay mounts of today's kernels take with room to spare.
const LONGEST: usize = 127;
/// Names of an area that no record mentions, after the worst of crashes.
const UNKNOWN: usize = 10_000;

pub(super) async fn suite(session: &mut Session<'_>) {
    let found = probed(session).await;
    session.found("storage: probe answers where every feature is there, and where none is", found);
    let found = walked(session).await;
    session.found("storage: layers, roots and removals are plans that the core takes", found);
    let found = apart(session).await;
    session.found("storage: two containers of one image share nothing that is written", found);
    let found = promoted(session).await;
    session.found("storage: a container's changes become a layer, or that is unsupported", found);
    let found = impossible(session).await;
    session.found("storage: what cannot be is answered, not trapped on", found);
    let found = optional(session).await;
    session.found("storage: usage, reconcile and released answer where they are exported", found);
    let found = largest(session).await;
    session.found("storage: the largest requests stay within its limits", found);
    session.without_help("storage", samples).await;
}

fn ask(call: StorageCall) -> Question {
    Question::Storage(call)
}

/// Every feature that `wit/storage` names.
fn facts(all: bool) -> Facts {
    let names = ["overlay", "reflink", "btrfs", "erofs", "quota", "idmap"];
    let features = if all { names.map(str::to_owned).into() } else { BTreeSet::new() };
    Facts { features, free_bytes: 10 << 30 }
}

fn container(chance: &mut Chance) -> Result<ContainerId, Why> {
    chance.hex(64).parse().map_err(|e| Why::Failed(format!("an id of the suite: {e}")))
}

async fn probed(session: &mut Session<'_>) -> Found {
    session.answer(&ask(StorageCall::Probe { facts: facts(true) })).await?;
    session.permit(&ask(StorageCall::Probe { facts: facts(false) })).await?.ok();
    Ok(())
}

/// An area as the core would have it after the plans so far.
#[derive(Debug, Default)]
struct Imagined {
    there: BTreeSet<Place>,
    chain: Vec<LayerRef>,
    /// The places of each layer.
    own: Vec<BTreeSet<Place>>,
}

impl Imagined {
    fn chain(&self) -> LayerChain {
        LayerChain(self.chain.clone())
    }

    fn layers(&self) -> BTreeSet<Place> {
        self.chain.iter().filter_map(|layer| layer.place.clone()).collect()
    }
}

async fn layer(session: &mut Session<'_>, area: &mut Imagined) -> Result<(), Why> {
    area.chain.push(LayerRef { chain_id: session.chance.hex(64), place: None });
    let prepare = prepare(session, area.chain()).await?;
    let commit = match session.answer(&ask(StorageCall::CommitLayer { chain: area.chain() })).await? {
        Reply::Commit(plan) => plan,
        other => return Err(unexpected(&other)),
    };
    let own = session.judge.layer(&area.there, &prepare, &commit)?;
    place(area, &commit)?;
    area.there.extend(own.iter().cloned());
    area.own.push(own);
    Ok(())
}

fn place(area: &mut Imagined, commit: &CommitPlan) -> Result<(), Why> {
    if area.layers().contains(&commit.place) {
        return Err(Why::Failed(format!("two layers are committed to {}", commit.place)));
    }
    if let Some(last) = area.chain.last_mut() {
        last.place = Some(commit.place.clone());
    }
    Ok(())
}

async fn prepare(session: &mut Session<'_>, chain: LayerChain) -> Result<LayerPlan, Why> {
    match session.answer(&ask(StorageCall::PrepareLayer { chain })).await? {
        Reply::Layer(plan) => Ok(plan),
        other => Err(unexpected(&other)),
    }
}

async fn root(session: &mut Session<'_>, area: &mut Imagined) -> Result<(ContainerId, RootPlan, BTreeSet<Place>), Why> {
    let container = container(&mut session.chance)?;
    let top = (!area.chain.is_empty()).then(|| area.chain());
    let plan = match session
        .answer(&ask(StorageCall::PrepareRoot { container: container.clone(), top, settings: BTreeMap::new() }))
        .await?
    {
        Reply::Root(plan) => plan,
        other => return Err(unexpected(&other)),
    };
    let own = session.judge.root(&area.there, &area.layers(), &plan)?;
    area.there.extend(own.iter().cloned());
    Ok((container, plan, own))
}

/// Images of one layer to the longest, with and without containers; removed from the top.
async fn walked(session: &mut Session<'_>) -> Found {
    let rounds = (session.how.requests / 10).max(1);
    for round in 0..rounds {
        let mut area = Imagined::default();
        let layers = if round == 0 { LONGEST } else { usize::try_from(session.chance.below(6)).unwrap_or(1) };
        for _ in 0..layers {
            layer(session, &mut area).await?;
        }
        root(session, &mut area).await?;
        while let Some(own) = area.own.pop() {
            let steps = match session.answer(&ask(StorageCall::RemoveLayer { chain: area.chain() })).await? {
                Reply::Steps(steps) => steps,
                other => return Err(unexpected(&other)),
            };
            session.judge.steps(&area.there, &own, &steps)?;
            area.there.retain(|place| !own.contains(place));
            area.chain.pop();
        }
    }
    Ok(())
}

async fn apart(session: &mut Session<'_>) -> Found {
    let mut area = Imagined::default();
    for _ in 0..2 {
        layer(session, &mut area).await?;
    }
    // What the second one makes is held against what the first one has made.
    for _ in 0..3 {
        root(session, &mut area).await?;
    }
    Ok(())
}

async fn promoted(session: &mut Session<'_>) -> Found {
    let mut area = Imagined::default();
    layer(session, &mut area).await?;
    let (container, _, own) = root(session, &mut area).await?;
    area.chain.push(LayerRef { chain_id: session.chance.hex(64), place: None });
    match session.ask(&ask(StorageCall::Promote { container, chain: area.chain() })).await? {
        Ok(Reply::Commit(plan)) => {
            session.judge.steps(&area.there, &own, &plan.steps)?;
            place(&mut area, &plan)
        }
        Ok(other) => Err(unexpected(&other)),
        Err(error) if matches!(error.error, davit_model::error::PolicyError::Unsupported(_)) => Ok(()),
        Err(error) => Err(Why::Failed(error.to_string())),
    }
}

/// Chains whose layers are not there, which the core never asks about.
async fn impossible(session: &mut Session<'_>) -> Found {
    let chain = LayerChain((0..4).map(|_| LayerRef { chain_id: session.chance.hex(64), place: None }).collect());
    let container = container(&mut session.chance)?;
    for call in [
        StorageCall::PrepareLayer { chain: chain.clone() },
        StorageCall::CommitLayer { chain: chain.clone() },
        StorageCall::PrepareRoot { container: container.clone(), top: Some(chain.clone()), settings: BTreeMap::new() },
        StorageCall::Promote { container, chain: chain.clone() },
        StorageCall::RemoveLayer { chain },
    ] {
        session.survive(&ask(call)).await?;
    }
    Ok(())
}

async fn optional(session: &mut Session<'_>) -> Found {
    let optional = ["davit:storage/usage", "davit:storage/reconcile", "davit:storage/released"];
    let exported: Vec<Found> = optional.iter().map(|interface| session.exports(interface)).collect();
    if exported.iter().all(Result::is_err) {
        return Err(Why::Skipped("it exports none of them".to_owned()));
    }
    let mut area = Imagined::default();
    layer(session, &mut area).await?;
    session.answer(&ask(StorageCall::Usage { chain: area.chain() })).await?;
    let unknown = (0..1000).filter_map(|n| format!("unknown-{n}").parse().ok()).collect();
    session.answer(&ask(StorageCall::Reconcile { unknown })).await?;
    let mut tally = Tally::default();
    for what in ["layer", "root", "something of a later version"] {
        let id = session.chance.hex(64);
        session.tried(&mut tally, &ask(StorageCall::Released { what: what.to_owned(), id })).await?.ok();
    }
    session.not_all_refused(tally).await
}

/// The longest chain is among the images of [`walked`]; here are long names, and many of them.
async fn largest(session: &mut Session<'_>) -> Found {
    let settings = (0..100).map(|n| (format!("setting-{n}"), "x".repeat(4096))).collect();
    let container = container(&mut session.chance)?;
    session.bear(&ask(StorageCall::PrepareRoot { container, top: None, settings })).await?.ok();
    if session.exports("davit:storage/reconcile").is_ok() {
        let unknown = (0..UNKNOWN).filter_map(|n| format!("unknown-{n:0>190}").parse().ok()).collect();
        session.bear(&ask(StorageCall::Reconcile { unknown })).await?.ok();
    }
    Ok(())
}

/// Of each call one; the layers stand where some driver could have put them.
fn samples(session: &mut Session<'_>) -> Result<Vec<Question>, Why> {
    let place = "base".parse().map_err(|e| Why::Failed(format!("a place of the suite: {e}")))?;
    let base = LayerRef { chain_id: session.chance.hex(64), place: Some(place) };
    let top = LayerRef { chain_id: session.chance.hex(64), place: None };
    let (committed, chain) = (LayerChain(vec![base.clone()]), LayerChain(vec![base, top]));
    let container = container(&mut session.chance)?;
    let root = |top| StorageCall::PrepareRoot { container: container.clone(), top, settings: BTreeMap::new() };
    let calls = [
        StorageCall::Probe { facts: facts(true) },
        StorageCall::PrepareLayer { chain: chain.clone() },
        StorageCall::CommitLayer { chain: chain.clone() },
        root(Some(committed.clone())),
        root(None),
        StorageCall::Promote { container: container.clone(), chain },
        StorageCall::Usage { chain: committed.clone() },
        StorageCall::RemoveLayer { chain: committed },
        StorageCall::Reconcile { unknown: Vec::new() },
        StorageCall::Released { what: "root".to_owned(), id: container.to_string() },
    ];
    Ok(calls.into_iter().map(Question::Storage).collect())
}
