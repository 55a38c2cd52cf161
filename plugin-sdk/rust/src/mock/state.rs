//! Durable keys and values, in the site's memory. Unlike in the engine a write stays even where its call fails.

use super::{
    site::{around, right},
    types::Error,
};

const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 1 << 20;

fn check(key: &str) -> Result<(), Error> {
    right("state", "durable state")?;
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(Error::Invalid(format!("a state key has 1 to {MAX_KEY} bytes, this one has {}", key.len())));
    }
    Ok(())
}

/// The value of a key.
///
/// # Errors
/// `denied`, `invalid`.
pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    check(key)?;
    Ok(around(|site| site.state.get(key).cloned()))
}

/// Sets or removes a value if it still is `expected`.
///
/// # Errors
/// `denied`, `invalid`.
pub fn swap(key: &str, expected: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool, Error> {
    check(key)?;
    if new.is_some_and(|value| value.len() > MAX_VALUE) {
        return Err(Error::Invalid(format!("a state value has at most {MAX_VALUE} bytes")));
    }
    Ok(around(|site| {
        if site.state.get(key).map(Vec::as_slice) != expected {
            return false;
        }
        match new {
            Some(value) => site.state.insert(key.to_owned(), value.to_vec()),
            None => site.state.remove(key),
        };
        true
    }))
}

/// All keys that start with `prefix`, sorted.
///
/// # Errors
/// `denied`.
pub fn keys(prefix: &str) -> Result<Vec<String>, Error> {
    right("state", "durable state")?;
    Ok(around(|site| site.state.keys().filter(|key| key.starts_with(prefix)).cloned().collect()))
}
