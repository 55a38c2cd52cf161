//! Named places where a test can make a step fail; nothing of it is in an ordinary build.

/// Fails here with an error where a test switched `name` on.
macro_rules! fault {
    ($name:literal) => {
        fail::fail_point!($name, |_| Err(crate::error::NetError::io(
            "reach",
            $name,
            std::io::Error::other("fault point")
        )));
    };
}
pub(crate) use fault;
