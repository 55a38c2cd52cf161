//! Lifecycle: operations and events to give, adjustments to record.

use super::{site::right, types::Error};
use serde_json::{Value, json};
use std::{cell::RefCell, collections::BTreeMap};

const MAX_ADJUSTMENTS: usize = 1024;
const MAX_BYTES: usize = 1 << 20;

/// Something that a test asks of the engine.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What is asked.
    pub kind: String,
    /// Who asks.
    pub caller: String,
    /// The reference of the image at hand.
    pub image: Option<String>,
    /// The digest of that image's manifest.
    pub image_digest: Option<String>,
    /// Labels of the object at hand.
    pub labels: BTreeMap<String, String>,
    /// Whether full privileges are asked for.
    pub privileged: bool,
    /// The parsed request.
    pub request: Value,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            kind: String::new(),
            caller: "uid:0".to_owned(),
            image: None,
            image_digest: None,
            labels: BTreeMap::new(),
            privileged: false,
            request: json!({}),
        }
    }
}

impl Asked {
    /// The creation of a container from this request, whose image, labels and privileges are said as the engine says them.
    pub fn to_create(request: Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let labels = request.get("labels").and_then(Value::as_object);
        Self {
            kind: "container.create".to_owned(),
            image: request.get("image").and_then(text),
            labels: labels.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect(),
            privileged: request.get("privileged").and_then(Value::as_bool).unwrap_or_default(),
            request,
            ..Self::default()
        }
    }
}

/// Something that somebody asks of the engine.
#[derive(Clone, Debug)]
pub struct Operation(Asked);

impl From<Asked> for Operation {
    fn from(asked: Asked) -> Self {
        Self(asked)
    }
}

impl Operation {
    /// What is asked.
    pub fn kind(&self) -> String {
        self.0.kind.clone()
    }

    /// Who asks.
    pub fn caller(&self) -> String {
        self.0.caller.clone()
    }

    /// The reference of the image at hand.
    pub fn image(&self) -> Option<String> {
        self.0.image.clone()
    }

    /// The digest of that image's manifest.
    pub fn image_digest(&self) -> Option<String> {
        self.0.image_digest.clone()
    }

    /// Labels of the object at hand, sorted by name.
    pub fn labels(&self) -> Vec<(String, String)> {
        self.0.labels.clone().into_iter().collect()
    }

    /// Whether full privileges are asked for.
    pub fn privileged(&self) -> bool {
        self.0.privileged
    }

    /// What is to be mounted, as JSON.
    pub fn mounts_json(&self) -> String {
        self.field("/mounts").unwrap_or_else(|| "[]".to_owned())
    }

    /// Any field of the request by its JSON pointer, as JSON.
    pub fn field(&self, path: &str) -> Option<String> {
        self.0.request.pointer(path).map(Value::to_string)
    }
}

/// A change, as it was recorded.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the arguments of the methods of the same names")]
pub enum Change {
    /// `set`
    Set { path: String, value: Value },
    /// `secret-file`
    SecretFile { name: String, at: String, mode: u32, owner: Option<(u32, u32)> },
}

/// Changes to a request.
#[derive(Debug, Default)]
pub struct Adjustment {
    changes: RefCell<Vec<Change>>,
    bytes: RefCell<usize>,
}

impl Adjustment {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those that were recorded.
    pub fn recorded(&self) -> Vec<Change> {
        self.changes.borrow().clone()
    }

    fn add(&self, change: Change, bytes: usize) -> Result<(), Error> {
        let (mut changes, mut all) = (self.changes.borrow_mut(), self.bytes.borrow_mut());
        *all += bytes;
        if changes.len() >= MAX_ADJUSTMENTS || *all > MAX_BYTES {
            let text = format!("a call makes at most {MAX_ADJUSTMENTS} adjustments of {MAX_BYTES} bytes in all");
            return Err(Error::Internal(text));
        }
        changes.push(change);
        Ok(())
    }

    /// Sets the field at a JSON pointer to a JSON value.
    ///
    /// # Errors
    /// `denied`, `invalid`, `internal`.
    pub fn set(&self, path: &str, json: &str) -> Result<(), Error> {
        if !path.starts_with('/') {
            return Err(Error::Invalid("a field is named by a JSON pointer, which begins with /".to_owned()));
        }
        right("adjust", &format!("adjusting {path}"))?;
        let value =
            serde_json::from_str(json).map_err(|e| Error::Invalid(format!("the value of {path} is not JSON: {e}")))?;
        self.add(Change::Set { path: path.to_owned(), value }, path.len() + json.len())
    }

    /// Puts a secret of the site's into the container.
    ///
    /// # Errors
    /// `denied`, `invalid`, `internal`.
    pub fn secret_file(&self, name: &str, at: &str, mode: u32, owner: Option<(u32, u32)>) -> Result<(), Error> {
        right("secret-files", &format!("secret {name:?} as a file"))?;
        let plain = at.strip_prefix('/').is_some_and(|rest| {
            rest.split('/').all(|part| !part.is_empty() && part != "." && part != "..") && !rest.contains('\0')
        });
        if !plain || at.len() > 4096 {
            let shown: String = at.chars().take(160).collect();
            let text = format!("a secret's file is an absolute path without \".\" and \"..\", not {shown:?}");
            return Err(Error::Invalid(text));
        }
        if mode > 0o777 {
            return Err(Error::Invalid(format!("{at}: the mode of a secret's file is at most 0777, not {mode:o}")));
        }
        let change = Change::SecretFile { name: name.to_owned(), at: at.to_owned(), mode, owner };
        self.add(change, name.len() + at.len())
    }
}

/// Something that a test lets happen.
#[derive(Clone, Debug, Default)]
pub struct Happened {
    /// What happened.
    pub kind: String,
    /// The id of the object.
    pub actor: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub time_ms: u64,
    /// Details.
    pub attributes: BTreeMap<String, String>,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event(Happened);

impl From<Happened> for Event {
    fn from(happened: Happened) -> Self {
        Self(happened)
    }
}

impl Event {
    /// What happened.
    pub fn kind(&self) -> String {
        self.0.kind.clone()
    }

    /// The id of the object.
    pub fn actor(&self) -> String {
        self.0.actor.clone()
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn time_ms(&self) -> u64 {
        self.0.time_ms
    }

    /// One detail.
    pub fn attribute(&self, key: &str) -> Option<String> {
        self.0.attributes.get(key).cloned()
    }

    /// All details, sorted by key.
    pub fn attributes(&self) -> Vec<(String, String)> {
        self.0.attributes.clone().into_iter().collect()
    }
}
