//! Fields that this engine does not act on. Nothing that asks for isolation or a resource may be ignored silently.

use super::body::Rest;
use crate::failure::ApiError;
use serde_json::Value;

/// Fields that tell about the client or its terminal and change nothing.
const TELLING: [&str; 9] = [
    "AttachStdin",
    "AttachStdout",
    "AttachStderr",
    "ArgsEscaped",
    "OnBuild",
    "Shell",
    "ConsoleSize",
    "ContainerIDFile",
    "Consistency",
];
/// Fields without effect here that a client may rely on, though not for its safety.
const WARNED: [&str; 1] = ["Healthcheck"];

/// Looks at fields that nobody read; `place` stands before their names (`HostConfig.`).
pub(crate) fn check(place: &str, rest: &Rest, warnings: &mut Vec<String>) -> Result<(), ApiError> {
    for (name, value) in rest {
        if is_empty(value) || TELLING.contains(&name.as_str()) {
            continue;
        }
        if !WARNED.contains(&name.as_str()) {
            return Err(refused(&format!("{place}{name}")));
        }
        warnings.push(format!("{place}{name} is not supported by this engine yet and has no effect"));
    }
    Ok(())
}

/// The refusal of a field.
pub(crate) fn refused(field: &str) -> ApiError {
    ApiError::invalid(format!("{field} is not supported by this engine; create the container without it"))
}

/// What Go's clients write for a field that nobody set.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.values().all(is_empty),
    }
}
