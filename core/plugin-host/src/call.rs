//! One call of a guest: a fresh store and instance, in a task of its own that owns them and runs to its end. The caller
//! waits on a oneshot; past the deadline, or when the caller itself is dropped, the call's time is over and the guest
//! traps at its next step. The task is never dropped or aborted: wasmtime frees what the guest held when it ends.

use crate::{
    context::{Context, Identity, Lent},
    contract::v0_1::shown,
    control::Control,
    counts::{Counts, End},
    limiter::Limiter,
    limits::{Bytes, Limits},
    machine::Shared,
};
use davit_model::{
    error::{PolicyError, PortError},
    services::HostServices,
    state::Planned,
};
use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;
use wasmtime::{
    Store, Trap, UpdateDeadline,
    component::{Instance, InstancePre},
};

const HOSTCALL_FUEL: usize = 4 << 20;
const COMPONENT_HANDLES: usize = 1024;
/// How often a call is made where others change its plugin's state meanwhile.
const TRIES: u32 = 8;

/// What the export answered, in the error of its version of the contract, or the trap it ended with.
pub(crate) type Outcome<T, E> = wasmtime::Result<Result<T, E>>;

/// A call's body, boxed, since it borrows the store that its task owns.
pub(crate) type Body<'a, T, E> = Pin<Box<dyn Future<Output = Outcome<T, E>> + Send + 'a>>;

/// A call that ended without an answer.
struct Ended {
    error: PolicyError,
    /// By the host's verdict, not by the guest's own word.
    trapped: bool,
    /// What it read of its state was no longer so when it was to be written.
    stale: bool,
}

impl Ended {
    fn of_host(verdict: impl Into<String>) -> Self {
        Self { error: PolicyError::Internal(verdict.into()), trapped: true, stale: false }
    }
}

impl From<PolicyError> for Ended {
    fn from(error: PolicyError) -> Self {
        Self { error, trapped: false, stale: false }
    }
}

/// A call that failed, as its caller is told.
struct Failed {
    error: PortError,
    stale: bool,
}

/// A guest that is ready to be called.
#[derive(Clone)]
pub(crate) struct Callee {
    pub(crate) shared: Arc<Shared>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) services: Arc<dyn HostServices>,
    pub(crate) pre: InstancePre<Context>,
    pub(crate) limits: Limits,
    pub(crate) counts: Arc<Counts>,
}

/// When what a call wrote to its plugin's state is written.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Once it has answered.
    Committed,
    /// By the caller, with the plan that it answered.
    WithThePlan,
}

/// Ends a call's time when the caller stops waiting, for whatever reason.
struct EndOnDrop(Arc<Control>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Callee {
    fn error(&self, call: &str, error: PolicyError) -> PortError {
        PortError::new(self.identity.label.as_str(), call, error)
    }

    /// Calls the guest; what it wrote to its state is kept when this answers. Where another call has changed the state
    /// meanwhile, it is called again, in another instance, with what is there now.
    pub(crate) async fn call<T, E, B>(
        &self,
        name: &'static str,
        deadline: Duration,
        lent: Lent,
        body: B,
    ) -> Result<T, PortError>
    where
        T: Send + 'static,
        E: Into<PolicyError> + Send + 'static,
        B: for<'a> FnOnce(&'a mut Store<Context>, &'a Instance) -> Body<'a, T, E> + Clone + Send + 'static,
    {
        let mut tries = 1..TRIES;
        loop {
            match self.begin(name, deadline, lent.clone(), body.clone(), State::Committed).await {
                Err(Failed { stale: true, .. }) if tries.next().is_some() => {}
                outcome => return outcome.map(|done| done.plan).map_err(|failed| failed.error),
            }
        }
    }

    /// Calls an export that plans; what it wrote to its state comes with its answer, to be kept with the plan.
    pub(crate) async fn plan<T, E, B>(
        &self,
        name: &'static str,
        deadline: Duration,
        lent: Lent,
        body: B,
    ) -> Result<Planned<T>, PortError>
    where
        T: Send + 'static,
        E: Into<PolicyError> + Send + 'static,
        B: for<'a> FnOnce(&'a mut Store<Context>, &'a Instance) -> Body<'a, T, E> + Send + 'static,
    {
        self.begin(name, deadline, lent, body, State::WithThePlan).await.map_err(|failed| failed.error)
    }

    async fn begin<T, E, B>(
        &self,
        name: &'static str,
        deadline: Duration,
        lent: Lent,
        body: B,
        state: State,
    ) -> Result<Planned<T>, Failed>
    where
        T: Send + 'static,
        E: Into<PolicyError> + Send + 'static,
        B: for<'a> FnOnce(&'a mut Store<Context>, &'a Instance) -> Body<'a, T, E> + Send + 'static,
    {
        let control = Arc::new(Control::new(deadline));
        let began = Instant::now();
        let guard = EndOnDrop(control.clone());
        let late = || {
            let text = format!("no answer within its deadline of {}", shown_time(deadline));
            Failed { error: self.error(name, PolicyError::Internal(text)), stale: false }
        };
        let work = async {
            // A full pool waits, by the deadline.
            let permit = self.shared.calls.clone().acquire_owned().await;
            let permit = permit.map_err(|_| Ended::of_host("the plugin host has ended"))?;
            let (to, answer) = oneshot::channel();
            let (callee, control) = (self.clone(), control.clone());
            tokio::spawn(async move {
                let outcome = match (callee.run(control, lent, body).await, state) {
                    (Ok(done), State::Committed) => callee.commit(done).await,
                    (outcome, _) => outcome,
                };
                drop(permit);
                drop(to.send(outcome));
            });
            answer.await.unwrap_or_else(|_| Err(Ended::of_host("the plugin host failed in this call")))
        };
        let outcome = tokio::time::timeout(deadline, work).await;
        drop(guard);
        let end = match outcome {
            Ok(Ok(_)) => End::Answered,
            Ok(Err(Ended { trapped: true, .. })) | Err(_) => End::Trapped,
            Ok(Err(_)) => End::Refused,
        };
        self.counts.count(end, began.elapsed());
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Ended { error, stale, .. })) => Err(Failed { error: self.error(name, error), stale }),
            Err(_) => Err(late()),
        }
    }

    async fn run<T, E, B>(&self, control: Arc<Control>, lent: Lent, body: B) -> Result<Planned<T>, Ended>
    where
        T: Send + 'static,
        E: Into<PolicyError> + Send + 'static,
        B: for<'a> FnOnce(&'a mut Store<Context>, &'a Instance) -> Body<'a, T, E> + Send + 'static,
    {
        let _ticking = self.shared.ticker.begin();
        let context = Context::new(
            self.identity.clone(),
            self.services.clone(),
            control.clone(),
            lent,
            Limiter::new(&self.limits),
        );
        let mut store = Store::new(&self.shared.engine, context);
        store.limiter(|context| &mut context.limiter);
        store.set_hostcall_fuel(HOSTCALL_FUEL);
        store.set_max_component_handles(COMPONENT_HANDLES);
        store.set_epoch_deadline(1);
        let watched = control.clone();
        store.epoch_deadline_callback(move |_| {
            if watched.is_over() {
                return Ok(UpdateDeadline::Interrupt);
            }
            // tokio's own yield lets its timers and sockets have a turn; wasmtime's would come back at once.
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        let outcome = match self.pre.instantiate_async(&mut store).await {
            Ok(instance) => body(&mut store, &instance).await,
            Err(error) => Err(error),
        };
        let context = store.into_data();
        let refused = context.limiter.refused();
        let state = context.finish();
        match outcome {
            Ok(Ok(plan)) => Ok(Planned { plan, state }),
            Ok(Err(error)) => Err(Ended::from(error.into())),
            Err(error) => Err(Ended::of_host(self.verdict(&control, refused, &error))),
        }
    }

    async fn commit<T>(&self, done: Planned<T>) -> Result<Planned<T>, Ended> {
        if !done.state.writes.is_empty() {
            self.services.state_commit(&done.state).await.map_err(|error| {
                let stale = matches!(error, PolicyError::Conflict(_));
                Ended { error, trapped: false, stale }
            })?;
        }
        Ok(done.plan.into())
    }

    /// What a trap means, in words for people.
    fn verdict(&self, control: &Control, refused: Option<&str>, error: &wasmtime::Error) -> String {
        if control.is_over() {
            return format!("no answer within its deadline of {}", shown_time(control.deadline()));
        }
        match (error.downcast_ref::<Trap>(), refused) {
            (Some(Trap::StackOverflow), _) => "it went past its stack of 512 KiB (endless recursion?)".to_owned(),
            (Some(Trap::MemoryOutOfBounds), None) => {
                "it reached beyond its memory (endless recursion, or a wild pointer?)".to_owned()
            }
            (_, Some("memory")) => format!("it went past its memory of {}", Bytes(self.limits.memory)),
            (_, Some(what)) => format!("it went past its limit of {what}"),
            (Some(Trap::UnreachableCodeReached), _) => "it panicked".to_owned(),
            (Some(trap), _) => format!("it trapped: {trap}"),
            // The cause alone: around it there is a trace with names of the guest's own.
            (None, _) => format!("it was ended: {}", shown(&error.root_cause().to_string())),
        }
    }
}

fn shown_time(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{} s", time.as_secs()) } else { format!("{} ms", time.as_millis()) }
}
