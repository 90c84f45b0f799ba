//! The server: one thread per connection, and a log of all requests.

use fs_err::File;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::batch::{Batch, BatchFaults, Batches};
use crate::exchange::{Asked, Logged, Play, Reply};
use crate::{bill, http, wire};

/// Enough for threads that mostly sleep.
const STACK_BYTES: usize = 256 * 1024;

/// How long [`Server::wait_for`] waits.
const PATIENCE: Duration = Duration::from_mins(1);

/// A model's server on the loopback interface. Stops when dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

/// What a server can do beside answering calls.
#[derive(Default)]
pub struct Extras {
    /// It takes batches, with these faults.
    pub batches: Option<BatchFaults>,
    /// It writes a line of JSON for each request to this file. Then it remembers no prompt, so that it can answer any
    /// number of requests; nothing comes from its cache.
    pub bill: Option<File>,
}

struct Shared {
    model: Box<dyn Fn(&Asked) -> Play + Send + Sync>,
    started: Instant,
    log: Mutex<Vec<Logged>>,
    /// Notified when a request is added to the log.
    logged: Condvar,
    connections: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
    batches: Option<Batches>,
    /// The number of requests of a server without a log.
    count: AtomicUsize,
    /// Gets a line for each request, instead of the log; prompts are forgotten.
    bill: Option<Mutex<File>>,
}

impl Server {
    /// Starts a server at a free port. `model` decides how it responds to each request.
    pub fn start(model: impl Fn(&Asked) -> Play + Send + Sync + 'static) -> Self {
        match Self::at(0, model) {
            Ok(server) => server,
            Err(error) => panic!("cannot listen on the loopback interface: {error}"),
        }
    }

    /// Starts a server at this port; 0 takes a free one.
    pub fn at(port: u16, model: impl Fn(&Asked) -> Play + Send + Sync + 'static) -> io::Result<Self> {
        Self::serving(port, None, None, model)
    }

    /// Starts a server at a free port that also takes batches. `on_event` is called with the number of each step: a
    /// request about batches has arrived, it is carried out, half of a file is sent, it is answered.
    pub fn with_batches(
        faults: BatchFaults,
        on_event: impl Fn(usize) + Send + Sync + 'static,
        model: impl Fn(&Asked) -> Play + Send + Sync + 'static,
    ) -> Self {
        match Self::serving(0, Some(Batches::new(faults, on_event)), None, model) {
            Ok(server) => server,
            Err(error) => panic!("cannot listen on the loopback interface: {error}"),
        }
    }

    /// Starts a server at this port with these extras.
    pub fn at_with(
        port: u16,
        extras: Extras,
        model: impl Fn(&Asked) -> Play + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let batches = extras.batches.map(|faults| Batches::new(faults, |_| {}));
        Self::serving(port, batches, extras.bill, model)
    }

    fn serving(
        port: u16,
        batches: Option<Batches>,
        bill: Option<File>,
        model: impl Fn(&Asked) -> Play + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            model: Box::new(model),
            started: Instant::now(),
            log: Mutex::default(),
            logged: Condvar::new(),
            connections: Mutex::default(),
            stopped: AtomicBool::new(false),
            batches,
            count: AtomicUsize::new(0),
            bill: bill.map(Mutex::new),
        });
        let accepting = Arc::clone(&shared);
        let listener = thread::spawn(move || accept(&listener, &accepting));
        Ok(Self { address, shared, listener: Some(listener) })
    }

    /// Its address, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far, in the order of arrival.
    pub fn log(&self) -> Vec<Logged> {
        lock(&self.shared.log).clone()
    }

    /// Waits until this number of requests has arrived; panics after a minute.
    #[track_caller]
    pub fn wait_for(&self, requests: usize) {
        let log = lock(&self.shared.log);
        let waited = self.shared.logged.wait_timeout_while(log, PATIENCE, |log| log.len() < requests);
        let (log, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let arrived = log.len();
        // Unlocked before the panic.
        drop(log);
        assert!(arrived >= requests, "{arrived} of {requests} requests arrived within {PATIENCE:?}");
    }

    /// The batches so far, in the order of their creation.
    pub fn batches(&self) -> Vec<Batch> {
        self.shared.batches.as_ref().map(Batches::batches).unwrap_or_default()
    }

    /// The number of steps of requests about batches so far.
    pub fn batch_events(&self) -> usize {
        self.shared.batches.as_ref().map(Batches::events).unwrap_or_default()
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        lock(&self.shared.connections).len()
    }

    /// The highest number of requests in flight at the same time.
    pub fn most_at_once(&self) -> usize {
        let log = lock(&self.shared.log);
        log.iter().map(|one| in_flight(&log, one.came)).max().unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.address));
        for connection in lock(&self.shared.connections).drain(..) {
            drop(connection.shutdown(Shutdown::Both));
        }
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
    }
}

/// The number of requests in flight at a time in seconds from the start of the server.
fn in_flight(log: &[Logged], when: f64) -> usize {
    log.iter().filter(|one| one.came <= when && one.done.is_none_or(|done| done > when)).count()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(connection) = connection else { continue };
        // A server with a bill runs until its process ends, and may see any number of connections.
        if shared.bill.is_none()
            && let Ok(clone) = connection.try_clone()
        {
            lock(&shared.connections).push(clone);
        }
        let shared = Arc::clone(shared);
        let thread = thread::Builder::new().stack_size(STACK_BYTES);
        // Errors of a connection are for the client to notice.
        drop(thread.spawn(move || serve(connection, &shared)));
    }
}

fn serve(connection: TcpStream, shared: &Shared) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut output = connection.try_clone()?;
    let mut input = BufReader::new(connection);
    while let Some(incoming) = http::read(&mut input)? {
        if let Some(batches) = &shared.batches
            && batches.handle(&incoming, &mut output, &*shared.model)?
        {
            continue;
        }
        let Some(asked) = wire::read(&incoming) else {
            http::respond(&mut output, 400, &[], "unknown request")?;
            continue;
        };
        let asked = shared.come(asked);
        let came = shared.started.elapsed().as_secs_f64();
        let decided = (shared.model)(&asked);
        let line = shared.bill.is_some().then(|| bill::Line::of(&asked, &decided, came));
        let played = play(&mut output, &asked, decided, shared);
        let given = played.as_ref().ok().cloned().flatten();
        match line {
            Some(line) => shared.charge(&line, given.is_some())?,
            None => shared.done(asked.number - 1, given),
        }
        played?;
    }
    Ok(())
}

impl Shared {
    /// Writes the line of a request to the bill.
    fn charge(&self, line: &bill::Line, is_whole: bool) -> io::Result<()> {
        let Some(bill) = &self.bill else { return Ok(()) };
        let line = line.ended(is_whole, self.started.elapsed().as_secs_f64());
        lock(bill).write_all(format!("{line}\n").as_bytes())
    }

    fn come(&self, asked: Asked) -> Asked {
        let came = self.started.elapsed().as_secs_f64();
        if self.bill.is_some() {
            return Asked { number: self.count.fetch_add(1, Ordering::SeqCst) + 1, ..asked };
        }
        let mut log = lock(&self.log);
        let shared_bytes = log.iter().map(|one| common_prefix(&one.asked.prompt, &asked.prompt)).max();
        let asked = Asked { number: log.len() + 1, shared_bytes: shared_bytes.unwrap_or(0), ..asked };
        log.push(Logged { asked: asked.clone(), given: None, came, done: None });
        self.logged.notify_all();
        asked
    }

    fn done(&self, index: usize, given: Option<String>) {
        let done = self.started.elapsed().as_secs_f64();
        if let Some(logged) = lock(&self.log).get_mut(index) {
            logged.given = given;
            logged.done = Some(done);
        }
    }
}

fn common_prefix(a: &str, b: &str) -> usize {
    const BLOCK: usize = 4096;
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK)).take_while(|(a, b)| a == b).count();
    let rest = a.iter().zip(b).skip(blocks * BLOCK);
    blocks * BLOCK + rest.take_while(|(a, b)| a == b).count()
}

/// Responds to a request. Returns the text of the answer, if all of it was sent.
fn play(output: &mut TcpStream, asked: &Asked, play: Play, shared: &Shared) -> io::Result<Option<String>> {
    match play {
        Play::Answer(answer) => {
            stream(output, asked, &answer, usize::MAX)?;
            return Ok(Some(answer.text));
        }
        Play::Unstreamed(answer) => {
            let json = [("content-type", "application/json".to_owned())];
            http::respond(output, 200, &json, &wire::whole(asked, &answer).to_string())?;
            return Ok(Some(answer.text));
        }
        Play::Cut(answer) => stream(output, asked, &answer, answer.pieces / 2)?,
        Play::Stall(answer, duration) => {
            stream(output, asked, &answer, answer.pieces / 2)?;
            stay_silent(output, duration, shared)?;
        }
        Play::ErrorInStream(answer, kind) => {
            stream(output, asked, &answer, answer.pieces / 2)?;
            http::chunk(output, &wire::error_event(asked.format, &kind))?;
            http::chunk(output, "")?;
            return Ok(None);
        }
        Play::Status(status, headers, body) => {
            http::respond(output, status, &headers, &body)?;
            return Ok(None);
        }
        Play::Raw(bytes) => output.write_all(&bytes)?,
        Play::Endless => {
            http::start_stream(output)?;
            loop {
                http::chunk(output, &wire::filler(asked.format))?;
            }
        }
        Play::EndlessHeaders => {
            output.write_all(b"HTTP/1.1 200 OK\r\n")?;
            loop {
                output.write_all(b"x-filler: on and on and on and on and on and on and on\r\n")?;
            }
        }
        Play::HangUp => {}
    }
    output.shutdown(Shutdown::Both)?;
    Ok(None)
}

/// Streams at most this number of pieces of an answer, and the end if no piece is left.
fn stream(output: &mut TcpStream, asked: &Asked, answer: &Reply, pieces: usize) -> io::Result<()> {
    let events = wire::events(asked, answer);
    thread::sleep(answer.first);
    http::start_stream(output)?;
    http::chunk(output, &events.before)?;
    let count = u32::try_from(events.pieces.len().max(1)).unwrap_or(u32::MAX);
    let between = answer.last.saturating_sub(answer.first) / count;
    for piece in events.pieces.iter().take(pieces) {
        http::chunk(output, piece)?;
        thread::sleep(between);
    }
    if pieces >= events.pieces.len() {
        http::chunk(output, &events.after)?;
        http::chunk(output, "")?;
    }
    Ok(())
}

/// Sends nothing for this long, or until the client gives up or the server is dropped.
fn stay_silent(output: &TcpStream, duration: Duration, shared: &Shared) -> io::Result<()> {
    let end = Instant::now() + duration;
    output.set_nonblocking(true)?;
    let is_there =
        || matches!(output.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
    while Instant::now() < end && is_there() && !shared.stopped.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(20));
    }
    output.set_nonblocking(false)
}
