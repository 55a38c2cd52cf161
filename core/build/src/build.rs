//! The build: context and Dockerfile in, image out.

use crate::{
    config::{self, Config},
    context,
    dockerfile::{self, Instruction, Step},
    error::{BuildError, Why},
    images::{Finished, Images, Line},
    plan::{Origin, Plan},
    platform,
    stage::{Done, Shop, Stage},
};
use davit_model::{digest::Digest, reference::Reference};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    sync::Arc,
};

/// Arguments that need no `ARG` in the Dockerfile, and are not missed there.
const PREDEFINED: [&str; 11] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
    "SOURCE_DATE_EPOCH",
];

/// What a client asks for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The Dockerfile's path in the context; empty: `Dockerfile`.
    pub dockerfile: String,
    /// The stage to build: its name or number; none: the last.
    pub target: Option<String>,
    /// Values for `ARG`. `SOURCE_DATE_EPOCH` is the time of everything that is made.
    pub args: BTreeMap<String, String>,
    /// Labels besides the Dockerfile's.
    pub labels: BTreeMap<String, String>,
    /// Names for the image.
    pub tags: Vec<Reference>,
    /// Whether bases are fetched also where they are there.
    pub pull: bool,
    /// The platform to build for; none: this machine's, which is the only one so far.
    pub platform: Option<String>,
}

/// Builds an image. `context` is the client's archive, from its beginning, in a file without a name. Nothing is run.
/// Dropping the future ends the build; what it put into the port until then is the port's to collect.
pub async fn build(images: Arc<dyn Images>, context: File, options: Options) -> Result<Digest, BuildError> {
    let file = if options.dockerfile.is_empty() { "Dockerfile".to_owned() } else { options.dockerfile.clone() };
    let at = |(line, why)| BuildError::Line { file: file.clone(), line, why };
    if let Some(platform) = options.platform.as_deref().filter(|p| !p.is_empty()) {
        platform::accept(platform).map_err(BuildError::Platform)?;
    }
    let epoch = epoch(&options.args)?;
    let created = created(epoch);
    let (name, keeper) = (file.clone(), images.clone());
    let read = tokio::task::spawn_blocking(move || context::read(context, &name, || keeper.scratch()));
    let context = read.await.map_err(|e| BuildError::Context(io::Error::other(e).into()))??;
    let parsed = dockerfile::parse(&context.dockerfile).map_err(|(line, e)| at((line, e.into())))?;
    let declared = declared(&parsed.steps);
    let mut plan = Plan::new(parsed, &options.args).map_err(at)?;
    let target = plan.target(options.target.as_deref());
    let target = target
        .ok_or_else(|| BuildError::Target { target: options.target.clone().unwrap_or_default(), file: file.clone() })?;
    label(&mut plan, target, &options.labels);
    let needed = plan.needed(target).map_err(at)?;
    let shop = Shop {
        images: images.clone(),
        plan,
        context: Arc::new(context.tree),
        args: options.args.clone(),
        epoch,
        created: created.clone(),
        pull: options.pull,
    };
    let mut built: BTreeMap<usize, Stage> = BTreeMap::new();
    let mut count = Count { done: 0, all: 0, images: images.as_ref() };
    count.all = needed.iter().filter_map(|n| shop.plan.stages.get(*n)).map(|s| 1 + s.steps.len()).sum();
    for number in needed {
        let stage = stage(&shop, number, &built, &mut count).await.map_err(at)?;
        built.insert(number, stage);
    }
    let missed: Vec<&str> =
        options.args.keys().map(String::as_str).filter(|a| !declared.contains(*a) && !PREDEFINED.contains(a)).collect();
    if !missed.is_empty() {
        count.say(format!("[Warning] One or more build-args {missed:?} were not consumed\n"));
    }
    let Some(stage) = built.remove(&target) else {
        return Err(BuildError::Target { target: target.to_string(), file });
    };
    let id = commit(&images, &stage.config, stage.layers, &created, &options.tags).await?;
    count.images.progress(Line::Image(id.clone()));
    count.say(format!("Successfully built {}\n", id.short()));
    for tag in &options.tags {
        count.say(format!("Successfully tagged {}\n", tag.familiar()));
    }
    Ok(id)
}

/// One stage from its `FROM` to its end.
async fn stage(
    shop: &Shop,
    number: usize,
    built: &BTreeMap<usize, Stage>,
    count: &mut Count<'_>,
) -> Result<Stage, (usize, Why)> {
    let Some(planned) = shop.plan.stages.get(number) else { return Err((1, Why::Stage(number.to_string()))) };
    count.step(&planned.text);
    let mut stage = begin(shop, &planned.origin, built).await.map_err(|why| (planned.line, why))?;
    count.state(shop, &stage);
    for step in &planned.steps {
        count.step(&step.text);
        let done = stage.step(shop, number, built, step).await.map_err(|why| (step.line, why))?;
        if done == (Done::Layer { known: true }) {
            count.say(" ---> Using cache\n".to_owned());
        }
        count.state(shop, &stage);
    }
    Ok(stage)
}

async fn begin(shop: &Shop, origin: &Origin, built: &BTreeMap<usize, Stage>) -> Result<Stage, Why> {
    match origin {
        Origin::Scratch => Ok(Stage::scratch()),
        Origin::Stage(n) => built.get(n).map(Stage::of).ok_or_else(|| Why::Stage(n.to_string())),
        Origin::Image(reference) => {
            let base = shop.images.base(reference, shop.pull).await;
            let base = base.map_err(|source| Why::Port { op: "get the base image", source })?;
            Stage::image(base, reference.familiar())
        }
    }
}

/// Makes the image. One that its first name has already, times apart, is that image and stays it: building again what
/// has not changed makes nothing new.
async fn commit(
    images: &Arc<dyn Images>,
    config: &Config,
    layers: Vec<crate::Layer>,
    created: &str,
    tags: &[Reference],
) -> Result<Digest, BuildError> {
    let mut bytes = config.bytes(created, &layers);
    if let Some(tag) = tags.first() {
        let before = images.tagged(tag).await.map_err(|source| BuildError::Port { op: "look the name up", source })?;
        if let Some(before) = before.filter(|before| config::same_but_for_times(before, &bytes)) {
            bytes = before;
        }
    }
    let manifest = config::manifest(&bytes, &layers);
    let finished = Finished { config: bytes, manifest, layers, tags: tags.to_vec() };
    images.commit(finished).await.map_err(|source| BuildError::Port { op: "keep the image", source })
}

/// Labels of the request are one instruction more, after the Dockerfile's.
fn label(plan: &mut Plan, target: usize, labels: &BTreeMap<String, String>) {
    let Some(stage) = plan.stages.get_mut(target).filter(|_| !labels.is_empty()) else { return };
    // They come as they are: what would be a sign of the language is quoted.
    let quote = |text: &str| format!("'{}'", text.replace('\'', r#"'"'"'"#));
    let pairs: Vec<(String, String)> = labels.iter().map(|(k, v)| (quote(k), quote(v))).collect();
    let shown: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let line = stage.steps.last().map_or(stage.line, |s| s.line);
    stage.steps.push(Step { line, text: format!("LABEL {}", shown.join(" ")), instruction: Instruction::Label(pairs) });
}

fn declared(steps: &[Step]) -> BTreeSet<String> {
    let lists = steps.iter().filter_map(|s| match &s.instruction {
        Instruction::Arg(list) => Some(list),
        _ => None,
    });
    lists.flatten().map(|(name, _)| name.clone()).collect()
}

fn epoch(args: &BTreeMap<String, String>) -> Result<Option<u64>, BuildError> {
    let Some(text) = args.get("SOURCE_DATE_EPOCH").filter(|t| !t.is_empty()) else { return Ok(None) };
    // The year 9999 is the last that a configuration can say.
    let seconds = text.parse::<u64>().ok().filter(|s| *s <= 253_402_207_200);
    seconds.map(Some).ok_or_else(|| BuildError::Epoch(text.chars().take(40).collect()))
}

fn created(epoch: Option<u64>) -> String {
    let at = epoch.and_then(|e| i64::try_from(e).ok()).and_then(|e| jiff::Timestamp::from_second(e).ok());
    at.unwrap_or_else(jiff::Timestamp::now).to_string()
}

/// Steps as they are told.
struct Count<'a> {
    done: usize,
    all: usize,
    images: &'a dyn Images,
}

impl Count<'_> {
    fn say(&self, text: String) {
        self.images.progress(Line::Text(text));
    }

    fn step(&mut self, text: &str) {
        self.done += 1;
        self.say(format!("Step {}/{} : {text}\n", self.done, self.all));
    }

    /// What the image would be if it ended here.
    fn state(&self, shop: &Shop, stage: &Stage) {
        let id = config::digest(&stage.config.bytes(&shop.created, &stage.layers));
        self.say(format!(" ---> {}\n", id.short()));
    }
}
