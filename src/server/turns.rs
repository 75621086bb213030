//! Questions that take work take turns. A turn belongs to the work, not to who asked: it ends when the work ends, even if nobody waits for
//! it any more. A large question never takes the last turn, and small ones have turns of their own: nobody waits behind larger ones.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use diag::Code;

use super::config::Limits;
use super::refusal::Refusal;
use super::request::spawn_blocking;

/// Diagnoses of more bytes are large.
const LARGE: usize = 1 << 20;

/// How much work a question takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// To look something up.
    Small,
    /// To diagnose or explain.
    Medium,
    /// To diagnose much, to follow faults through the estate, to read another estate first.
    Large,
}

impl Size {
    /// That of a diagnosis.
    pub fn of(bytes: usize) -> Size {
        if bytes > LARGE { Size::Large } else { Size::Medium }
    }
}

/// See the module.
pub struct Turns {
    all: Arc<Semaphore>,
    large: Arc<Semaphore>,
    small: Arc<Semaphore>,
    deadline: Duration,
}

/// Held while the work is done.
struct Turn {
    _own: OwnedSemaphorePermit,
    _large: Option<OwnedSemaphorePermit>,
}

impl Turns {
    pub fn new(limits: &Limits) -> Self {
        let large = limits.diagnoses.saturating_sub(1).max(1);
        let [all, large, small] = [limits.diagnoses, large, limits.diagnoses].map(|turns| Arc::new(Semaphore::new(turns)));
        Turns { all, large, small, deadline: limits.diagnosis }
    }

    /// Does the work when its turn comes.
    ///
    /// # Errors
    /// Those of the work. 503 if the turn does not come or the work does not end in time.
    pub async fn run<T: Send + 'static>(
        &self,
        size: Size,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let deadline = Instant::now() + self.deadline;
        let Ok(turn) = timeout_at(deadline, self.turn(size)).await else { return Err(self.late("no turn came")) };
        let Some(turn) = turn else { return Err(Refusal::broken("the server is shutting down")) };
        let doing = spawn_blocking(move || {
            let outcome = work();
            drop(turn);
            outcome
        });
        timeout_at(deadline, doing).await.unwrap_or_else(|_| Err(self.late("the answer was not ready")))
    }

    async fn turn(&self, size: Size) -> Option<Turn> {
        // First the scarcer one: whoever waits for it keeps nobody else from a turn.
        let (large, own) = match size {
            Size::Small => (None, &self.small),
            Size::Medium => (None, &self.all),
            Size::Large => (Some(Arc::clone(&self.large).acquire_owned().await.ok()?), &self.all),
        };
        let own = Arc::clone(own).acquire_owned().await.ok()?;
        Some(Turn { _own: own, _large: large })
    }

    fn late(&self, what: &str) -> Refusal {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::BUSY, format!("{what} within {} s", self.deadline.as_secs_f64()))
            .help("ask again later, send fewer signals or a shorter window, or raise `limits.diagnosis` in server.yaml")
    }
}

#[cfg(test)]
mod tests {
    use super::{LARGE, Size, Turns};
    use crate::config::Limits;
    use crate::refusal::Refusal;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn turns(diagnosis: u64) -> Arc<Turns> {
        Arc::new(Turns::new(&Limits { diagnosis: Duration::from_millis(diagnosis), ..Limits::default() }))
    }

    #[allow(clippy::unnecessary_wraps, reason = "as work that may fail")]
    fn wait(milliseconds: u64) -> Result<(), Refusal> {
        std::thread::sleep(Duration::from_millis(milliseconds));
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn work_without_a_client_keeps_its_turn() {
        let (turns, running, most) = (turns(60_000), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..8 {
            let (turns, running, most) = (Arc::clone(&turns), Arc::clone(&running), Arc::clone(&most));
            let asking = tokio::spawn(async move {
                let work = move || {
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    let outcome = wait(100);
                    running.fetch_sub(1, Ordering::SeqCst);
                    outcome
                };
                turns.run(Size::Small, work).await
            });
            tokio::time::sleep(Duration::from_millis(20)).await;
            asking.abort();
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_question_has_a_deadline() {
        let turns = turns(100);
        let refusal = turns.run(Size::Medium, || wait(400)).await.unwrap_err();
        assert_eq!((refusal.status.as_u16(), refusal.help.is_some()), (503, true), "{refusal:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn small_questions_pass_large_ones() {
        let turns = turns(60_000);
        for _ in 0..4 {
            let turns = Arc::clone(&turns);
            tokio::spawn(async move { turns.run(Size::of(LARGE + 1), || wait(2_000)).await });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let small = tokio::time::timeout(Duration::from_secs(1), turns.run(Size::of(10), || wait(1))).await;
        assert!(small.is_ok_and(|outcome| outcome.is_ok()), "a small question waits behind large ones");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn looking_up_waits_for_no_diagnosis() {
        let turns = turns(60_000);
        for _ in 0..4 {
            let turns = Arc::clone(&turns);
            tokio::spawn(async move { turns.run(Size::Medium, || wait(2_000)).await });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let small = tokio::time::timeout(Duration::from_secs(1), turns.run(Size::Small, || wait(1))).await;
        assert!(small.is_ok_and(|outcome| outcome.is_ok()), "a look-up waits behind diagnoses");
    }
}
