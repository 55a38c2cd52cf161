//! From what people type to an image, and from a tag to another image.

use super::record::{Image, load, point, repository, tag_key, with_names};
use crate::{
    db::Durability,
    error::{Result, StoreError},
    store::Store,
};
use davit_model::{digest::Digest, reference::Reference};
use rusqlite::{Connection, OptionalExtension, params};

fn by_tag(c: &Connection, reference: &Reference) -> Result<Option<String>> {
    let Some(key) = tag_key(reference) else { return Ok(None) };
    let mut rows = c.prepare_cached("SELECT image FROM reference WHERE name = ?1")?;
    Ok(rows.query_row([key], |r| r.get(0)).optional()?)
}

fn by_digest(c: &Connection, reference: &Reference, digest: &Digest) -> Result<Option<String>> {
    let repository = repository(reference);
    let mut rows = c.prepare_cached("SELECT image FROM repo_digest WHERE repository = ?1 AND digest = ?2")?;
    let found = rows.query_row(params![repository, digest.to_string()], |r| r.get(0)).optional()?;
    if found.is_some() {
        return Ok(found);
    }
    // Pulled through an index, and now named by the manifest's own digest.
    let mut rows = c.prepare_cached("SELECT DISTINCT image FROM repo_digest WHERE repository = ?1")?;
    for id in rows.query_map([repository], |r| r.get::<_, String>(0))? {
        let id = id?;
        if load(c, &id)?.is_some_and(|r| r.manifests.iter().any(|m| m.digest == *digest)) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

fn by_prefix(c: &Connection, prefix: &str) -> Result<Option<String>> {
    let hex = prefix.strip_prefix("sha256:").unwrap_or(prefix);
    if hex.is_empty() || hex.len() > 64 || !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return Ok(None);
    }
    let mut rows = c.prepare_cached("SELECT id FROM image WHERE id GLOB ?1 LIMIT 2")?;
    let rows = rows.query_map([format!("sha256:{hex}*")], |r| r.get::<_, String>(0))?;
    match rows.collect::<Result<Vec<_>, _>>()?.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        _ => Err(StoreError::Ambiguous(prefix.chars().take(80).collect())),
    }
}

fn resolve_in(c: &Connection, name: &str) -> Result<Image> {
    let missing = || StoreError::NotFound { kind: "image", name: name.chars().take(300).collect() };
    let by_name = match name.parse::<Reference>() {
        Ok(reference) => match reference.digest() {
            Some(digest) => by_digest(c, &reference, digest)?,
            None => by_tag(c, &reference)?,
        },
        Err(_) => None,
    };
    // A full id is never a name; a name wins over a prefix.
    let id = match by_name {
        Some(id) => id,
        None => by_prefix(c, name)?.ok_or_else(missing)?,
    };
    with_names(c, load(c, &id)?.ok_or_else(missing)?)
}

impl Store {
    /// An image by reference, `repository@digest`, id, or a prefix of its id that fits no other.
    pub async fn resolve(&self, name: &str) -> Result<Image> {
        let name = name.to_owned();
        self.0.db.read(move |c| resolve_in(c, &name)).await
    }

    /// Lets a tag point at an image; a tag that is there is moved. References by digest are no tags: refused.
    pub async fn tag(&self, id: &Digest, reference: &Reference) -> Result<()> {
        let (id, reference) = (id.clone(), reference.clone());
        let write = move |c: &Connection| {
            if reference.digest().is_some() {
                let what = format!("tag {reference}");
                return Err(StoreError::Document { what, why: "a digest cannot be a tag".into() });
            }
            if load(c, &id.to_string())?.is_none() {
                return Err(StoreError::NotFound { kind: "image", name: id.to_string() });
            }
            point(c, &reference, &id)
        };
        self.0.db.write(Durability::Full, write).await
    }

    /// Removes a tag, or a `repository@digest`; answers the image it named. The image stays.
    pub async fn untag(&self, reference: &Reference) -> Result<Digest> {
        let reference = reference.clone();
        let write = move |c: &Connection| {
            let missing = || StoreError::NotFound { kind: "image", name: reference.familiar() };
            let id = match reference.digest() {
                Some(digest) => {
                    let id = by_digest(c, &reference, digest)?.ok_or_else(missing)?;
                    c.execute(
                        "DELETE FROM repo_digest WHERE repository = ?1 AND image = ?2",
                        params![repository(&reference), id],
                    )?;
                    id
                }
                None => {
                    let id = by_tag(c, &reference)?.ok_or_else(missing)?;
                    c.execute("DELETE FROM reference WHERE name = ?1", [tag_key(&reference)])?;
                    id
                }
            };
            id.parse().map_err(|e: davit_model::digest::DigestError| StoreError::Record {
                object: reference.familiar(),
                why: e.to_string(),
            })
        };
        self.0.db.write(Durability::Full, write).await
    }
}
