//! `GET /api/v1/events`: what happens to incidents, as server-sent events. The id of an event is its number: a client that comes back with
//! `Last-Event-ID` goes on behind it. If events before are not on file any more, or there is no such number, the first thing it hears is
//! `reset`: ask for everything.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_core::Stream;
use serde_json::json;

use super::AppState;

/// How long one wait for news blocks a thread; a client that left is noticed then.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client that is this many events behind is told to start anew.
const MOST_BEHIND: usize = 1_000;

/// See the module.
pub async fn events(State(served): State<Arc<AppState>>, headers: HeaderMap) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let asked = headers.get("last-event-id").map(|id| id.to_str().ok().and_then(|id| id.trim().parse::<u64>().ok()));
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Event, Infallible>>(64);
    tokio::spawn(async move {
        let last = served.live.last_event();
        // A number that is not reached yet is of another data folder, or of one that was put back.
        let known = asked.map_or(Some(last), |number| number.filter(|number| *number <= last));
        let mut seen = known.unwrap_or(last);
        if known.is_none() && sender.send(Ok(reset(seen))).await.is_err() {
            return;
        }
        while !sender.is_closed() && !*served.stopping.borrow() {
            let shared = Arc::clone(&served);
            let from = seen;
            let news = tokio::task::spawn_blocking(move || {
                let last = shared.live.wait(from, PATIENCE);
                if last > from { shared.live.events_after(from) } else { (Vec::new(), false) }
            });
            let Ok((events, gap)) = news.await else { return };
            if gap || events.len() > MOST_BEHIND {
                seen = events.last().map_or(seen, |event| event.number);
                if sender.send(Ok(reset(seen))).await.is_err() {
                    return;
                }
                continue;
            }
            for event in events {
                seen = event.number;
                let data = json!({"at": event.at, "what": event.what, "incident": event.incident.shown()});
                let told = Event::default().event("incident").id(seen.to_string()).data(data.to_string());
                if sender.send(Ok(told)).await.is_err() {
                    return;
                }
            }
        }
    });
    Sse::new(Received(receiver)).keep_alive(KeepAlive::default())
}

fn reset(seen: u64) -> Event {
    Event::default().event("reset").id(seen.to_string()).data("{}")
}

struct Received(tokio::sync::mpsc::Receiver<Result<Event, Infallible>>);

impl Stream for Received {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
