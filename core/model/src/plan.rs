//! The typestate that all plans share: proposed → checked → journalled → applied.
//!
//! A plan comes from a policy as [`Proposed`]. The core checks it against grants and facts, writes it to the journal,
//! and only then makes it real. Each step consumes the one before, so code that applies an unchecked or unjournalled
//! plan does not compile.

use std::marker::PhantomData;

/// As the policy answered it; nothing is known about it yet.
#[derive(Clone, Copy, Debug)]
pub struct Proposed;
/// Found to be within grants and facts.
#[derive(Clone, Copy, Debug)]
pub struct Checked;
/// Written down, so that it can be undone by a process that knows nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Journalled;
/// Made real.
#[derive(Clone, Copy, Debug)]
pub struct Applied;

/// A plan body `B` in a stage `S`.
#[derive(Clone, Debug)]
pub struct Plan<B, S> {
    body: B,
    stage: PhantomData<S>,
}

impl<B, S> Plan<B, S> {
    /// What the plan says.
    pub fn body(&self) -> &B {
        &self.body
    }

    /// What the plan says, by value.
    pub fn into_body(self) -> B {
        self.body
    }

    fn next<T>(self) -> Plan<B, T> {
        Plan { body: self.body, stage: PhantomData }
    }
}

impl<B> Plan<B, Proposed> {
    /// A plan as a policy answered it.
    pub fn proposed(body: B) -> Self {
        Self { body, stage: PhantomData }
    }

    /// Runs `check`; the plan is checked where it finds nothing wrong.
    pub fn check<E>(self, check: impl FnOnce(&B) -> Result<(), E>) -> Result<Plan<B, Checked>, E> {
        check(&self.body)?;
        Ok(self.next())
    }
}

impl<B> Plan<B, Checked> {
    /// Runs `write`, which puts the plan on record; the plan is journalled where that went well.
    pub fn journal<E>(self, write: impl FnOnce(&B) -> Result<(), E>) -> Result<Plan<B, Journalled>, E> {
        write(&self.body)?;
        Ok(self.next())
    }

    /// As [`Plan::journal`], for journals that are waited for.
    pub async fn journal_async<E>(
        self,
        write: impl AsyncFnOnce(&B) -> Result<(), E>,
    ) -> Result<Plan<B, Journalled>, E> {
        write(&self.body).await?;
        Ok(self.next())
    }
}

impl<B> Plan<B, Journalled> {
    /// A plan read back from the journal.
    pub fn from_journal(body: B) -> Self {
        Self { body, stage: PhantomData }
    }

    /// Runs `apply`, which makes the plan real or undoes what it had made so far.
    pub fn apply<E>(self, apply: impl FnOnce(&B) -> Result<(), E>) -> Result<Plan<B, Applied>, E> {
        apply(&self.body)?;
        Ok(self.next())
    }
}
