//! Storage, registry authentication and lifecycle policy in one component, each of which does everything that its kind
//! should not do. `behave` in the plugin's section of the site's file says what the next call does, and `otherwise` what
//! one does that knows no such behaviour.

mod auth;
#[path = "../../misbehaving/src/behaviours.rs"]
mod behaviours;
mod lifecycle;
mod storage;

use davit_plugin_sdk::{Error, Result, host::setting_or};

/// Does what the site's file says: what any kind can do, or what `own` knows by that name.
fn behave<T>(own: impl Fn(&str) -> Result<T>) -> Result<T> {
    const WELL: &str = "behave";
    let name = setting_or(WELL, WELL)?;
    match behaviours::common(&name) {
        // What the host let happen is followed by an ordinary answer.
        Some(done) => done.and_then(|()| own(WELL)),
        None => match own(&name) {
            Err(Error::Unsupported(unknown)) if unknown == name => own(&setting_or("otherwise", &name)?),
            done => done,
        },
    }
}

/// For calls with no misbehaviour of their own.
fn only_well<T>(answer: T) -> impl Fn(&str) -> Result<T>
where
    T: Clone,
{
    move |name| if name == "behave" { Ok(answer.clone()) } else { unknown(name) }
}

fn unknown<T>(name: &str) -> Result<T> {
    Err(Error::Unsupported(name.to_owned()))
}
