//! Takes connections and ends them: at most so many at a time, each with a time limit for the headers of a request, encrypted if there is a
//! certificate, and closed in order when the server stops.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::config::Limits;
use super::tls::Tls;

/// How long after a failed accept the next one is tried: the process has no file left, or the network is broken.
const PAUSE: Duration = Duration::from_millis(100);

/// How long connections that only wait, or have sent half a header, may linger when the server stops.
const LINGER: Duration = Duration::from_millis(300);

/// What a connection is doing, in the order in which it makes room for others.
const WAITING: u8 = 0;
const READING: u8 = 1;
const ANSWERING: u8 = 2;
const WORKING: u8 = 3;

/// A connection.
#[derive(Debug)]
pub struct Link {
    number: u64,
    /// The address of this machine by which the client came.
    pub local: SocketAddr,
    doing: AtomicU8,
    cut: Notify,
}

impl Link {
    /// Its request has been read, and is being worked on: it makes no room.
    pub fn works(&self) {
        self.doing.store(WORKING, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct Links {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    links: BTreeMap<u64, Arc<Link>>,
}

impl Links {
    fn held(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection; `None` if there are too many and each works.
    fn admit(&self, most: usize, local: SocketAddr) -> Option<Arc<Link>> {
        let mut open = self.held();
        if open.links.len() >= most && !make_room(&mut open) {
            return None;
        }
        let number = open.next;
        open.next += 1;
        let link = Arc::new(Link { number, local, doing: AtomicU8::new(WAITING), cut: Notify::new() });
        open.links.insert(number, Arc::clone(&link));
        Some(link)
    }

    fn make_room(&self) -> bool {
        make_room(&mut self.held())
    }

    /// Ends the connections that only wait.
    fn cut_waiting(&self) {
        let open = self.held();
        open.links.values().filter(|link| link.doing.load(Ordering::Relaxed) == WAITING).for_each(|link| link.cut.notify_one());
    }

    fn remove(&self, number: u64) {
        self.held().links.remove(&number);
    }
}

/// Ends the connection that does the least, of these the oldest: a client that sends half a header holds no place against one that comes.
fn make_room(open: &mut Open) -> bool {
    let least = open.links.values().min_by_key(|link| (link.doing.load(Ordering::Relaxed), link.number));
    let Some(link) = least.filter(|link| link.doing.load(Ordering::Relaxed) < WORKING) else { return false };
    link.cut.notify_one();
    let number = link.number;
    open.links.remove(&number);
    true
}

/// Serves until `stop` becomes true; then requests in progress have `patience` to end. Returns when it was stopped.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Arc<Tls>>,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
    patience: Duration,
) -> Instant {
    let links = Arc::new(Links::default());
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = open.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            links.make_room();
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Some(link) = stream.local_addr().ok().and_then(|local| links.admit(limits.connections, local)) else { continue };
        let gone = Gone { links: Arc::clone(&links), number: link.number };
        let (router, tls, stop) = (router.clone(), tls.clone(), stop.clone());
        open.spawn(async move {
            let _gone = gone;
            tokio::select! {
                () = link.cut.notified() => {}
                () = converse(stream, &link, router, tls, limits, stop) => {}
            }
        });
    }
    let stopped = Instant::now();
    drop(listener);
    if timeout(LINGER, all(&mut open)).await.is_err() {
        links.cut_waiting();
        if timeout_at(stopped + patience, all(&mut open)).await.is_err() {
            open.abort_all();
        }
    }
    stopped
}

async fn all(open: &mut JoinSet<()>) {
    while open.join_next().await.is_some() {}
}

/// Takes a connection off the list, however it ends.
struct Gone {
    links: Arc<Links>,
    number: u64,
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.links.remove(self.number);
    }
}

async fn converse(stream: TcpStream, link: &Arc<Link>, router: Router, tls: Option<Arc<Tls>>, limits: Limits, stop: watch::Receiver<bool>) {
    // Without it answers wait for the next packet; where it cannot be set, they do.
    let _ = stream.set_nodelay(true);
    match tls {
        None => talk(TokioIo::new(stream), link, router, limits, stop).await,
        Some(tls) => {
            let greeting = timeout(limits.header, TlsAcceptor::from(tls.current()).accept(stream));
            if let Ok(Ok(stream)) = greeting.await {
                talk(TokioIo::new(stream), link, router, limits, stop).await;
            }
        }
    }
}

async fn talk<I>(io: I, link: &Arc<Link>, router: Router, limits: Limits, mut stop: watch::Receiver<bool>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (router, link) = (TowerToHyperService::new(router), Arc::clone(link));
    let service = service_fn(move |mut request: Request<Incoming>| {
        let turn = Turn::begin(&link);
        request.extensions_mut().insert(Arc::clone(&link));
        let answering = router.call(request);
        async move {
            let response = answering.await?;
            turn.0.doing.store(ANSWERING, Ordering::Relaxed);
            Ok::<_, Infallible>(response.map(|body| Answer { body, _turn: turn }))
        }
    });
    let mut server = http1::Builder::new();
    let connection = server.timer(TokioTimer::new()).header_read_timeout(limits.header).serve_connection(io, service);
    let mut connection = pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            // What went wrong with it is the client's business.
            _ = connection.as_mut() => return,
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// A request on a connection, until its answer has been sent.
struct Turn(Arc<Link>);

impl Turn {
    fn begin(link: &Arc<Link>) -> Turn {
        link.doing.store(READING, Ordering::Relaxed);
        Turn(Arc::clone(link))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.doing.store(WAITING, Ordering::Relaxed);
    }
}

/// The body of an answer, which knows when it has been sent.
struct Answer {
    body: Body,
    _turn: Turn,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
