//! Reads bodies within a budget of memory and of time. What a body takes is given back when the last reader of its bytes is done, not when
//! its request is.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::config::Limits;

/// The budget is counted in pieces of this many bytes.
const PIECE: usize = 1 << 10;

/// So much of every body is free: connections are limited, and a small question must be heard however much waits.
const FREE: usize = 64 << 10;

/// For alerts alone, so that metrics and logs never keep them out.
const FOR_ALERTS: usize = 32 << 20;

/// No body is read further. Routes with a lower limit refuse what they get.
const MOST: usize = super::diagnose::MAX_BODY;

/// How much of a body that is refused is still read, and for how long.
const MOST_DRAINED: usize = 1 << 20;
const DRAIN: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct Bodies {
    all: Arc<Semaphore>,
    alerts: Arc<Semaphore>,
    patience: Duration,
}

/// Why a body was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It took too long.
    Slow,
    /// There is no room for it now.
    Full,
    /// The connection broke, or the body is not what its headers say.
    Broken(String),
}

/// Bytes with their share of the budget.
struct Held {
    bytes: Vec<u8>,
    share: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Bodies {
    pub fn new(limits: &Limits) -> Self {
        let pieces = (limits.bodies / PIECE).min(Semaphore::MAX_PERMITS);
        Bodies { all: Arc::new(Semaphore::new(pieces)), alerts: Arc::new(Semaphore::new(FOR_ALERTS / PIECE)), patience: limits.body }
    }

    /// The whole body, or a little more than [`MOST`] of it.
    pub async fn read(&self, mut body: Body, is_alerts: bool) -> Result<Bytes, Unread> {
        let budget = if is_alerts { &self.alerts } else { &self.all };
        let deadline = Instant::now() + self.patience;
        let mut held = Held { bytes: Vec::new(), share: None };
        while held.bytes.len() <= MOST {
            let next = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            let Ok(next) = timeout_at(deadline, next).await else { return Err(Unread::Slow) };
            let Some(frame) = next else { break };
            let frame = frame.map_err(|error| Unread::Broken(error.to_string()))?;
            // What is no data are trailers, which nobody reads.
            let Ok(data) = frame.into_data() else { continue };
            held.grow(data.len(), budget)?;
            held.bytes.extend_from_slice(&data);
        }
        Ok(Bytes::from_owner(held))
    }
}

/// Reads a body that nobody wants, but not for long: who is cut off while it still sends never hears why.
pub async fn drain(mut body: Body) {
    let deadline = Instant::now() + DRAIN;
    let mut left = MOST_DRAINED;
    loop {
        let next = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let Ok(Some(Ok(frame))) = timeout_at(deadline, next).await else { return };
        let read = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(read) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

impl Held {
    /// Makes room for more bytes, as far as the budget allows.
    fn grow(&mut self, more: usize, budget: &Arc<Semaphore>) -> Result<(), Unread> {
        let (length, capacity) = (self.bytes.len(), self.bytes.capacity());
        let needed = length + more;
        if needed <= capacity {
            return Ok(());
        }
        // By half, so that a body that comes in many pieces is not copied for each of them.
        let wanted = needed.max(capacity + capacity / 2);
        let charged = |bytes: usize| bytes.saturating_sub(FREE).div_ceil(PIECE);
        let pieces = charged(wanted).saturating_sub(charged(capacity));
        if pieces > 0 {
            let pieces = u32::try_from(pieces).map_err(|_| Unread::Full)?;
            let share = Arc::clone(budget).try_acquire_many_owned(pieces).map_err(|_| Unread::Full)?;
            match &mut self.share {
                Some(before) => before.merge(share),
                None => self.share = Some(share),
            }
        }
        self.bytes.reserve_exact(wanted - length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Bodies, FREE, PIECE, Unread};
    use crate::config::Limits;
    use axum::body::Body;
    use std::time::Duration;

    fn bodies(bytes: usize) -> Bodies {
        Bodies::new(&Limits { bodies: bytes, body: Duration::from_millis(200), ..Limits::default() })
    }

    #[tokio::test]
    async fn the_budget_is_given_back_with_the_bytes() {
        let bodies = bodies(100 * PIECE);
        let body = || Body::from(vec![1_u8; FREE + 60 * PIECE]);
        let first = bodies.read(body(), false).await.unwrap();
        assert_eq!((first.len(), bodies.all.available_permits()), (FREE + 60 * PIECE, 40));
        assert_eq!(bodies.read(body(), false).await, Err(Unread::Full));
        assert!(bodies.read(body(), true).await.is_ok(), "alerts have their own");
        assert!(bodies.read(Body::from("small"), false).await.is_ok(), "small bodies are free");
        let part = first.slice(0..1);
        drop(first);
        assert_eq!(bodies.all.available_permits(), 40, "somebody still reads it");
        drop(part);
        assert_eq!(bodies.all.available_permits(), 100);
        assert!(bodies.read(body(), false).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        struct Never;
        impl hyper::body::Body for Never {
            type Data = axum::body::Bytes;
            type Error = std::convert::Infallible;
            fn poll_frame(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
                std::task::Poll::Pending
            }
        }
        assert_eq!(bodies(1 << 20).read(Body::new(Never), false).await, Err(Unread::Slow));
    }
}
