//! Images: in a list, for `inspect`, their history, what a removal did.

use super::time::rfc3339;
use davit_engine::{HistoryItem, ImageDetails, ImageSummary, Removed};
use serde_json::{Value, json};

/// An image in a list; what it shares with others where that was asked for.
pub(crate) fn summary(image: &ImageSummary, shared: bool) -> Value {
    json!({
        "Id": image.id.to_string(),
        "ParentId": "",
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Created": image.created.map_or(0, |c| c.as_second()),
        "Size": image.size,
        "VirtualSize": image.size,
        "SharedSize": if shared { json!(image.shared) } else { json!(-1) },
        "Labels": image.labels,
        "Containers": image.containers,
    })
}

/// An image with all that is known of it.
pub(crate) fn inspect(image: &ImageDetails) -> Value {
    let summary = &image.summary;
    // An OCI configuration holds the container's part under `config`; Docker's own names are the same.
    let config = image.config.get("config").filter(|c| c.is_object()).cloned().unwrap_or_else(|| json!({}));
    let layers: Vec<String> = image.layers.iter().map(ToString::to_string).collect();
    let mut shown = json!({
        "Id": summary.id.to_string(),
        "RepoTags": summary.tags,
        "RepoDigests": summary.digests,
        "Parent": "",
        "Comment": image.config.get("comment").and_then(Value::as_str).unwrap_or(""),
        "Created": summary.created.map(|c| rfc3339(Some(c))),
        "DockerVersion": "",
        "Author": image.author.as_deref().unwrap_or(""),
        "Config": config,
        "Architecture": image.architecture,
        "Os": image.os,
        "Size": summary.size,
        "VirtualSize": summary.size,
        "GraphDriver": {"Name": image.driver, "Data": {}},
        "RootFS": {"Type": "layers", "Layers": layers},
        "Metadata": {"LastTagTime": rfc3339(None)},
    });
    if let (Some(fields), Some(variant)) = (shown.as_object_mut(), &image.variant) {
        fields.insert("Variant".to_owned(), json!(variant));
    }
    shown
}

/// A step of an image's history.
pub(crate) fn history(item: &HistoryItem) -> Value {
    json!({
        "Id": item.id,
        "Created": item.created.map_or(0, |c| c.as_second()),
        "CreatedBy": item.created_by,
        "Tags": if item.tags.is_empty() { Value::Null } else { json!(item.tags) },
        "Size": item.size,
        "Comment": item.comment,
    })
}

/// What a removal did.
pub(crate) fn removed(item: &Removed) -> Value {
    match item {
        Removed::Untagged(name) => json!({"Untagged": name}),
        Removed::Deleted(id) => json!({"Deleted": id}),
    }
}
