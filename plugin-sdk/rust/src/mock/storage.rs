//! Storage: facts and layers to give, steps, archives and roots to record.

use super::types::Error;
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

const MAX_STEPS: usize = 10_000;
const MAX_LOWER: usize = 256;

/// One path component beneath the driver's area.
fn name(text: &str) -> Result<String, Error> {
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let rest = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if first && rest && text.len() <= 200 {
        return Ok(text.to_owned());
    }
    let shown: String = text.chars().take(220).collect();
    Err(Error::Invalid(format!(
        "{shown:?} is not one name beneath the driver's area (allowed: [A-Za-z0-9][A-Za-z0-9_.-], at most 200)"
    )))
}

fn style(word: &str) -> Result<String, Error> {
    match word {
        "overlay" | "overlay-user" | "apply" => Ok(word.to_owned()),
        _ => Err(Error::Unsupported(format!("whiteout style {word:?}; known are overlay, overlay-user and apply"))),
    }
}

fn format_word(word: &str) -> Result<String, Error> {
    match word {
        "erofs" | "squashfs" => Ok(word.to_owned()),
        _ => Err(Error::Unsupported(format!("image format {word:?}; known are erofs and squashfs"))),
    }
}

/// What the file system beneath the area can do.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    features: Vec<String>,
    free_bytes: u64,
}

impl Facts {
    /// A file system with these features.
    pub fn new(features: &[&str], free_bytes: u64) -> Self {
        Self { features: features.iter().map(|&feature| feature.to_owned()).collect(), free_bytes }
    }

    /// Whether a feature is there.
    pub fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|it| it == feature)
    }

    /// Free bytes.
    pub fn free_bytes(&self) -> u64 {
        self.free_bytes
    }
}

/// A layer of an image, with all that is beneath it.
#[derive(Clone, Debug)]
pub struct Layer {
    chain_id: String,
    parent: Option<Rc<Layer>>,
    place: Option<String>,
}

impl Layer {
    /// A base layer that is not committed.
    pub fn base(chain_id: &str) -> Self {
        Self { chain_id: chain_id.to_owned(), parent: None, place: None }
    }

    /// A layer on top of this one that is not committed.
    pub fn child(&self, chain_id: &str) -> Self {
        Self { parent: Some(Rc::new(self.clone())), ..Self::base(chain_id) }
    }

    /// This layer, committed to a place.
    #[must_use]
    pub fn at(self, place: &str) -> Self {
        Self { place: Some(place.to_owned()), ..self }
    }

    /// Its chain id.
    pub fn chain_id(&self) -> String {
        self.chain_id.clone()
    }

    /// The layer beneath.
    pub fn parent(&self) -> Option<Self> {
        self.parent.as_deref().cloned()
    }

    /// Where it is; none while it is not committed.
    pub fn place(&self) -> Option<String> {
        self.place.clone()
    }
}

/// A step, as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the arguments of the methods of the same names")]
pub enum Step {
    /// `make-dir`
    MakeDir { at: String },
    /// `clone-tree`
    CloneTree { src: String, dst: String },
    /// `subvolume`
    Subvolume { at: String },
    /// `snapshot`
    Snapshot { src: String, dst: String },
    /// `make-image`
    MakeImage { src: String, dst: String, format: String },
    /// `rename`
    Rename { src: String, dst: String },
    /// `quota`
    Quota { at: String, bytes: u64 },
    /// `discard`
    Discard { at: String },
}

/// Steps that the core would do in order.
#[derive(Debug, Default)]
pub struct Steps(RefCell<Vec<Step>>);

impl Steps {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those that were recorded.
    pub fn recorded(&self) -> Vec<Step> {
        self.0.borrow().clone()
    }

    fn record(&self, step: Step) -> Result<(), Error> {
        let mut steps = self.0.borrow_mut();
        if steps.len() >= MAX_STEPS {
            return Err(Error::Internal(format!("a plan has at most {MAX_STEPS} steps")));
        }
        steps.push(step);
        Ok(())
    }

    /// Makes an empty folder.
    ///
    /// # Errors
    /// `invalid` for what is no name.
    pub fn make_dir(&self, at: &str) -> Result<(), Error> {
        self.record(Step::MakeDir { at: name(at)? })
    }

    /// Copies a whole tree.
    ///
    /// # Errors
    /// `invalid` for what is no name.
    pub fn clone_tree(&self, src: &str, dst: &str) -> Result<(), Error> {
        self.record(Step::CloneTree { src: name(src)?, dst: name(dst)? })
    }

    /// Makes an empty btrfs subvolume.
    ///
    /// # Errors
    /// `invalid` for what is no name.
    pub fn subvolume(&self, at: &str) -> Result<(), Error> {
        self.record(Step::Subvolume { at: name(at)? })
    }

    /// Makes a writable btrfs snapshot.
    ///
    /// # Errors
    /// `invalid` for what is no name.
    pub fn snapshot(&self, src: &str, dst: &str) -> Result<(), Error> {
        self.record(Step::Snapshot { src: name(src)?, dst: name(dst)? })
    }

    /// Makes a read-only file-system image out of a tree.
    ///
    /// # Errors
    /// `invalid` for what is no name, `unsupported` for another format.
    pub fn make_image(&self, src: &str, dst: &str, format: &str) -> Result<(), Error> {
        self.record(Step::MakeImage { src: name(src)?, dst: name(dst)?, format: format_word(format)? })
    }

    /// Renames, atomically.
    ///
    /// # Errors
    /// `invalid` for what is no name.
    pub fn rename(&self, src: &str, dst: &str) -> Result<(), Error> {
        self.record(Step::Rename { src: name(src)?, dst: name(dst)? })
    }

    /// Limits the size of a tree.
    ///
    /// # Errors
    /// `invalid` for what is no name.
    pub fn quota(&self, at: &str, bytes: u64) -> Result<(), Error> {
        self.record(Step::Quota { at: name(at)?, bytes })
    }

    /// Removes a tree, subvolume or image file.
    ///
    /// # Errors
    /// `invalid` for what is no name.
    pub fn discard(&self, at: &str) -> Result<(), Error> {
        self.record(Step::Discard { at: name(at)? })
    }
}

/// How an archive is to be written, as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacking {
    /// The folder to unpack into; none is refused by the core.
    pub into: Option<String>,
    /// Whether the parent must be committed before.
    pub needs_parent_first: bool,
    /// How deletions are written.
    pub whiteouts: String,
}

/// How the core would write a layer's archive.
#[derive(Debug)]
pub struct Unpack(RefCell<Unpacking>);

impl Default for Unpack {
    fn default() -> Self {
        let whiteouts = "apply".to_owned();
        Self(RefCell::new(Unpacking { into: None, needs_parent_first: false, whiteouts }))
    }
}

impl Unpack {
    /// Nothing is said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was said.
    pub fn recorded(&self) -> Unpacking {
        self.0.borrow().clone()
    }

    /// The folder to unpack into.
    ///
    /// # Errors
    /// `invalid` for what is no name, and the second time.
    pub fn into(&self, at: &str) -> Result<(), Error> {
        let at = name(at)?;
        let into = &mut self.0.borrow_mut().into;
        if into.is_some() {
            return Err(Error::Invalid("the folder to unpack into was said twice".to_owned()));
        }
        *into = Some(at);
        Ok(())
    }

    /// The parent must be committed before.
    pub fn needs_parent_first(&self) {
        self.0.borrow_mut().needs_parent_first = true;
    }

    /// How deletions are written.
    ///
    /// # Errors
    /// `unsupported` for another word.
    pub fn whiteouts(&self, word: &str) -> Result<(), Error> {
        self.0.borrow_mut().whiteouts = style(word)?;
        Ok(())
    }
}

/// What a root is mounted from, as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the arguments of the methods of the same names")]
pub enum Mount {
    /// `overlay`
    Overlay { lower: Vec<String>, upper: Option<String>, work: Option<String> },
    /// `tree`
    Tree { at: String, writable: bool },
    /// `image`
    Image { at: String, format: String },
}

/// A root, as it was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rooted {
    /// What it is mounted from; none is refused by the core.
    pub mount: Option<Mount>,
    /// Where its changes are, and how deletions are written there.
    pub changes: Option<(String, String)>,
}

/// What a container's root would be made of.
#[derive(Debug, Default)]
pub struct Root {
    said: RefCell<Rooted>,
    settings: BTreeMap<String, String>,
}

impl Root {
    /// Nothing is said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, where its creator wants this of it.
    pub fn wanting(settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self { settings, ..Self::default() }
    }

    /// What the caller wants of this container's storage under that name.
    pub fn setting(&self, key: &str) -> Option<String> {
        self.settings.get(key).cloned()
    }

    /// What was said.
    pub fn recorded(&self) -> Rooted {
        self.said.borrow().clone()
    }

    fn mount(&self, mount: Mount) -> Result<(), Error> {
        let said = &mut self.said.borrow_mut().mount;
        if said.is_some() {
            return Err(Error::Invalid("a root is one mount, and one was said already".to_owned()));
        }
        *said = Some(mount);
        Ok(())
    }

    /// An overlay mount.
    ///
    /// # Errors
    /// `invalid`.
    pub fn overlay(&self, lower: &[String], upper: Option<&str>, work: Option<&str>) -> Result<(), Error> {
        if lower.is_empty() || lower.len() > MAX_LOWER {
            let text = format!("an overlay has 1 to {MAX_LOWER} lower trees, this one has {}", lower.len());
            return Err(Error::Invalid(text));
        }
        if upper.is_some() != work.is_some() {
            return Err(Error::Invalid("upper and work go together".to_owned()));
        }
        let lower = lower.iter().map(|tree| name(tree)).collect::<Result<_, _>>()?;
        self.mount(Mount::Overlay { lower, upper: upper.map(name).transpose()?, work: work.map(name).transpose()? })
    }

    /// A tree as it is.
    ///
    /// # Errors
    /// `invalid`.
    pub fn tree(&self, at: &str, writable: bool) -> Result<(), Error> {
        self.mount(Mount::Tree { at: name(at)?, writable })
    }

    /// A file-system image.
    ///
    /// # Errors
    /// `invalid`, `unsupported` for another format.
    pub fn image(&self, at: &str, format: &str) -> Result<(), Error> {
        self.mount(Mount::Image { at: name(at)?, format: format_word(format)? })
    }

    /// Where the container's changes are found.
    ///
    /// # Errors
    /// `invalid`, `unsupported` for another word.
    pub fn changes_in(&self, at: &str, word: &str) -> Result<(), Error> {
        self.said.borrow_mut().changes = Some((name(at)?, style(word)?));
        Ok(())
    }
}
