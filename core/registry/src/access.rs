//! What a request wants to do, in the words of the token specification: `repository:<name>:pull,push`.

/// The access that a request needs. Knows the names of actions, nothing of how they are granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// The repository at the endpoint; none for the registry's root.
    pub(crate) repository: Option<String>,
    /// `pull`, `push`, `delete`.
    pub(crate) actions: &'static [&'static str],
    /// A second repository that is read: the source of a cross-repository mount.
    pub(crate) also_pull: Option<String>,
}

impl Access {
    /// `GET /v2/`.
    pub(crate) fn root() -> Self {
        Self { repository: None, actions: &[], also_pull: None }
    }

    /// `actions` on `repository`.
    pub(crate) fn to(repository: &str, actions: &'static [&'static str]) -> Self {
        Self { repository: Some(repository.to_owned()), actions, also_pull: None }
    }

    /// The same, and reading `other`.
    pub(crate) fn and_pull(mut self, other: &str) -> Self {
        self.also_pull = Some(other.to_owned());
        self
    }

    /// As a scope; the key under which an answer is kept.
    pub(crate) fn scope(&self) -> String {
        let Some(repository) = &self.repository else { return String::new() };
        let mut scope = format!("repository:{repository}:{}", self.actions.join(","));
        if let Some(other) = &self.also_pull {
            scope.push_str(&format!(" repository:{other}:pull"));
        }
        scope
    }
}
