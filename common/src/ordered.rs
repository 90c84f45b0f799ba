//! Works on items as they arrive, on many threads, and emits the results in the items' order.
//!
//! Work that computes runs on rayon's threads, work that waits (for the network) on threads of its own. The
//! calling thread starts the items and emits the results. How many items are in flight is bounded.

use std::any::Any;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Select, Sender, TryRecvError, bounded, never, unbounded};
use thiserror::Error;

/// How many items per thread are in flight: started, but not emitted yet.
const WINDOW: usize = 32;

/// Enough for a call and for parsing its answer. There may be a thousand such threads.
const STACK_BYTES: usize = 512 * 1024;

/// Why the work ended early, unless `emit` failed.
#[derive(Debug, Error)]
pub enum OrderedError {
    /// The iterator of items failed. The results of all items before have been emitted.
    #[error("cannot read the input")]
    Input(#[source] io::Error),
    /// A worker could not be started.
    #[error("cannot start the worker threads")]
    Threads(#[source] io::Error),
}

/// Says on which threads to work, and until when.
///
/// All methods that work take `items`, which are read on a thread of their own; `work`, which runs on many
/// threads at once; and `emit`, which gets the results on the calling thread, in the order of the items, each
/// as soon as it and all before it are there. An error of `emit` ends the work: items that have not started are
/// dropped, and the thread that reads items is not waited for, since its next item may never come. A panic of
/// `work` goes on in the caller.
#[derive(Clone, Debug)]
pub struct Ordered {
    workers: Workers,
    end: Receiver<Infallible>,
}

#[derive(Clone, Copy, Debug)]
enum Workers {
    Rayon,
    Threads(usize),
}

impl Ordered {
    /// For work that computes: on rayon's threads, of which there is one per core unless set otherwise.
    pub fn on_cores() -> Self {
        Self { workers: Workers::Rayon, end: never() }
    }

    /// For work that waits: on this many threads, at least one.
    pub fn on_threads(threads: usize) -> Self {
        Self { workers: Workers::Threads(threads.max(1)), end: never() }
    }

    /// Starts no further item once the other side of `end` is closed, though more may arrive. Items in flight
    /// are finished and emitted.
    #[must_use]
    pub fn until(self, end: Receiver<Infallible>) -> Self {
        Self { end, ..self }
    }

    /// Emits one result at a time.
    pub fn each<T: Send + 'static, R: Send, E: From<OrderedError>>(
        &self,
        items: impl Iterator<Item = io::Result<T>> + Send + 'static,
        work: impl Fn(T) -> R + Sync,
        mut emit: impl FnMut(R) -> Result<(), E>,
    ) -> Result<(), E> {
        self.run(items, work, 1, |ready| ready.into_iter().try_for_each(&mut emit))
    }

    /// Emits all results that are there at a time, for consumers whose cost is per batch.
    pub fn batches<T: Send + 'static, R: Send, E: From<OrderedError>>(
        &self,
        items: impl Iterator<Item = io::Result<T>> + Send + 'static,
        work: impl Fn(T) -> R + Sync,
        emit: impl FnMut(Vec<R>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.run(items, work, usize::MAX, emit)
    }

    /// `emit` gets between one and `limit` results.
    fn run<T: Send + 'static, R: Send, E: From<OrderedError>>(
        &self,
        items: impl Iterator<Item = io::Result<T>> + Send + 'static,
        work: impl Fn(T) -> R + Sync,
        limit: usize,
        emit: impl FnMut(Vec<R>) -> Result<(), E>,
    ) -> Result<(), E> {
        let window = match self.workers {
            Workers::Rayon => rayon::current_num_threads(),
            Workers::Threads(threads) => threads,
        } * WINDOW;
        let stopped = AtomicBool::new(false);
        let (finish, finished) = unbounded();
        let dispatcher = Dispatcher {
            arriving: read_ahead(items, window).map_err(OrderedError::Threads)?,
            finished,
            end: self.end.clone(),
            stopped: &stopped,
            window,
            limit,
            is_open: true,
            unreadable: None,
            started: 0,
            emitted: 0,
            results: BTreeMap::new(),
        };
        let worker = Worker { work, stopped: &stopped, finish };
        match self.workers {
            Workers::Rayon => on_rayon(dispatcher, &worker, emit),
            Workers::Threads(threads) => on_threads(threads, dispatcher, &worker, emit),
        }
    }
}

/// Reads up to this number of items ahead, on a thread of their own. The thread is not joined: it may be waiting
/// for an item that never comes.
pub fn read_ahead<T: Send + 'static>(
    items: impl Iterator<Item = T> + Send + 'static,
    ahead: usize,
) -> io::Result<Receiver<T>> {
    let (arrive, arriving) = bounded(ahead);
    thread::Builder::new().name("reader".to_owned()).spawn(move || {
        for item in items {
            if arrive.send(item).is_err() {
                return;
            }
        }
    })?;
    Ok(arriving)
}

fn on_rayon<'scope, T: Send + 'scope, R: Send, E: From<OrderedError>>(
    dispatcher: Dispatcher<'_, T, R>,
    worker: &'scope Worker<'_, impl Fn(T) -> R + Sync, R>,
    emit: impl FnMut(Vec<R>) -> Result<(), E>,
) -> Result<(), E> {
    let dispatch = |scope: &rayon::Scope<'scope>| {
        dispatcher.run(|number, item| scope.spawn(move |_| worker.run(number, item)), emit)
    };
    if rayon::current_thread_index().is_none() {
        return rayon::in_place_scope(dispatch);
    }
    // This thread waits here, and it may be the only one of its pool.
    rayon::ThreadPoolBuilder::new()
        .num_threads(rayon::current_num_threads())
        .build()
        .map_err(|error| OrderedError::Threads(io::Error::other(error)))?
        .in_place_scope(dispatch)
}

fn on_threads<T: Send, R: Send, E: From<OrderedError>>(
    threads: usize,
    dispatcher: Dispatcher<'_, T, R>,
    worker: &Worker<'_, impl Fn(T) -> R + Sync, R>,
    emit: impl FnMut(Vec<R>) -> Result<(), E>,
) -> Result<(), E> {
    let (start, starting) = unbounded();
    thread::scope(move |scope| {
        for index in 0..threads {
            let starting: Receiver<(usize, T)> = starting.clone();
            let thread = thread::Builder::new().name(format!("worker-{index}")).stack_size(STACK_BYTES);
            thread
                .spawn_scoped(scope, move || {
                    for (number, item) in starting {
                        worker.run(number, item);
                    }
                })
                .map_err(OrderedError::Threads)?;
        }
        // The workers end when `start` is dropped with the dispatcher.
        dispatcher.run(move |number, item| drop(start.send((number, item))), emit)
    })
}

/// An item's number and its result: nothing where it was not started, or the panic of `work`.
type Finished<R> = (usize, Result<Option<R>, Box<dyn Any + Send>>);

/// What every worker thread does.
struct Worker<'a, W, R> {
    work: W,
    stopped: &'a AtomicBool,
    finish: Sender<Finished<R>>,
}

impl<W, R> Worker<'_, W, R> {
    fn run<T>(&self, number: usize, item: T)
    where
        W: Fn(T) -> R,
    {
        let result = if self.stopped.load(Ordering::Relaxed) {
            Ok(None)
        } else {
            catch_unwind(AssertUnwindSafe(|| Some((self.work)(item))))
        };
        // The dispatcher may have ended with an error.
        drop(self.finish.send((number, result)));
    }
}

/// Starts items and puts their results in order.
struct Dispatcher<'a, T, R> {
    arriving: Receiver<io::Result<T>>,
    finished: Receiver<Finished<R>>,
    end: Receiver<Infallible>,
    /// Tells workers to skip the items that they have not started.
    stopped: &'a AtomicBool,
    window: usize,
    limit: usize,
    /// Whether more items may arrive.
    is_open: bool,
    unreadable: Option<io::Error>,
    started: usize,
    emitted: usize,
    /// Results from number `emitted` on.
    results: BTreeMap<usize, Option<R>>,
}

impl<T, R> Dispatcher<'_, T, R> {
    fn run<E: From<OrderedError>>(
        mut self,
        start: impl Fn(usize, T),
        mut emit: impl FnMut(Vec<R>) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            self.collect();
            let ready = self.take_ready();
            // The workers are kept busy while results are emitted.
            self.start_arrived(&start);
            if !ready.is_empty() {
                emit(ready)?;
            } else if self.is_open || self.emitted < self.started {
                self.wait();
            } else {
                return self.unreadable.take().map_or(Ok(()), |error| Err(OrderedError::Input(error).into()));
            }
        }
    }

    fn collect(&mut self) {
        for (number, result) in self.finished.try_iter() {
            let result = result.unwrap_or_else(|panic| resume_unwind(panic));
            self.results.insert(number, result);
        }
    }

    fn take_ready(&mut self) -> Vec<R> {
        let mut ready = Vec::new();
        while ready.len() < self.limit
            && let Some(result) = self.results.remove(&self.emitted)
        {
            self.emitted += 1;
            ready.extend(result);
        }
        ready
    }

    fn start_arrived(&mut self, start: &impl Fn(usize, T)) {
        if self.end.try_recv() == Err(TryRecvError::Disconnected) {
            self.stopped.store(true, Ordering::Relaxed);
            self.end = never();
            self.close();
        }
        while self.has_room() {
            match self.arriving.try_recv() {
                Ok(Ok(item)) => {
                    start(self.started, item);
                    self.started += 1;
                }
                Ok(Err(error)) => {
                    self.unreadable = Some(error);
                    self.close();
                }
                Err(TryRecvError::Disconnected) => self.close(),
                Err(TryRecvError::Empty) => return,
            }
        }
    }

    fn has_room(&self) -> bool {
        self.started - self.emitted < self.window
    }

    fn close(&mut self) {
        self.is_open = false;
        self.arriving = never();
    }

    /// Waits until there is something to do.
    fn wait(&self) {
        let mut select = Select::new();
        select.recv(&self.end);
        select.recv(&self.finished);
        if self.has_room() {
            select.recv(&self.arriving);
        }
        select.ready();
    }
}

impl<T, R> Drop for Dispatcher<'_, T, R> {
    fn drop(&mut self) {
        // After an error or a panic, items that have not started are left.
        self.stopped.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use anyhow::{Result, bail};

    use super::*;

    const ALL: [fn() -> Ordered; 2] = [Ordered::on_cores, || Ordered::on_threads(3)];

    /// What is emitted for some numbers.
    fn doubled(ordered: &Ordered, numbers: std::ops::Range<usize>) -> Vec<usize> {
        let mut seen = Vec::new();
        ordered
            .each(
                numbers.map(Ok),
                |n| n * 2,
                |n| -> Result<()> {
                    seen.push(n);
                    Ok(())
                },
            )
            .unwrap();
        seen
    }

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for ordered in ALL {
            assert_eq!(doubled(&ordered(), 0..1000), (0..1000).map(|n| n * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn it_works_on_the_only_thread_of_a_rayon_pool() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        for ordered in ALL {
            assert_eq!(pool.install(|| doubled(&ordered(), 0..100).len()), 100);
        }
    }

    #[test]
    fn batches_come_in_the_order_of_the_items_and_are_not_empty() {
        for ordered in ALL {
            let mut batches = Vec::new();
            ordered()
                .batches(
                    (0..1000).map(Ok),
                    |n| n,
                    |batch| -> Result<()> {
                        batches.push(batch);
                        Ok(())
                    },
                )
                .unwrap();
            assert!(batches.iter().all(|batch| !batch.is_empty()));
            assert_eq!(batches.concat(), (0..1000).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_result_is_emitted_while_the_input_is_still_open() {
        for ordered in ALL {
            let (give, items) = mpsc::channel();
            let (emitted, heard) = mpsc::channel();
            let worker = thread::spawn(move || -> Result<()> {
                ordered().each(items.into_iter(), |n: i32| n, |n| Ok(emitted.send(n)?))
            });
            for n in 0..3 {
                give.send(Ok(n)).unwrap();
                assert_eq!(heard.recv().unwrap(), n);
            }
            drop(give);
            worker.join().unwrap().unwrap();
        }
    }

    #[test]
    fn a_failure_to_emit_ends_the_work_though_the_input_is_open() {
        for ordered in ALL {
            let (give, items) = mpsc::channel();
            give.send(Ok(1)).unwrap();
            let failed = ordered().each(items.into_iter(), |n: i32| n, |_| bail!("no room")).unwrap_err();
            assert_eq!(failed.to_string(), "no room");
            drop(give);
        }
    }

    #[test]
    fn a_requested_end_comes_though_the_input_is_open() {
        for ordered in ALL {
            let (give, items) = mpsc::channel();
            let (end, ended) = bounded(0);
            let (emitted, heard) = mpsc::channel();
            let worker = thread::spawn(move || -> Result<()> {
                ordered().until(ended).each(items.into_iter(), |n: i32| n, |n| Ok(emitted.send(n)?))
            });
            give.send(Ok(1)).unwrap();
            assert_eq!(heard.recv().unwrap(), 1);
            drop(end);
            worker.join().unwrap().unwrap();
            // This item is not started.
            drop(give.send(Ok(2)));
            assert_eq!(heard.try_iter().count(), 0);
        }
    }

    #[test]
    fn items_that_wait_for_a_thread_when_the_end_is_requested_are_not_started() {
        let (end, ended) = bounded(0);
        let mut end = Some(end);
        let mut seen = Vec::new();
        Ordered::on_threads(1)
            .until(ended)
            .each(
                (0..10).map(Ok),
                |n| {
                    thread::sleep(std::time::Duration::from_millis(20));
                    n
                },
                |n| -> Result<()> {
                    seen.push(n);
                    end = None;
                    Ok(())
                },
            )
            .unwrap();
        assert!(seen.starts_with(&[0]) && seen.len() < 4, "{seen:?}");
    }

    #[test]
    fn no_more_items_are_in_flight_than_the_window_holds() {
        let (give, items) = mpsc::channel::<io::Result<usize>>();
        (0..1000).for_each(|n| give.send(Ok(n)).unwrap());
        drop(give);
        let (started, starting) = mpsc::channel();
        let (go, wait) = bounded::<Infallible>(0);
        let worker = thread::spawn(move || -> Result<()> {
            Ordered::on_threads(2).each(
                items.into_iter(),
                |n| {
                    started.send(n).unwrap();
                    if n == 0 {
                        assert!(wait.recv().is_err());
                    }
                },
                |()| Ok(()),
            )
        });
        let mut count = 0;
        while starting.recv_timeout(std::time::Duration::from_millis(200)).is_ok() {
            count += 1;
        }
        assert_eq!(count, 2 * WINDOW);
        drop(go);
        worker.join().unwrap().unwrap();
    }

    #[test]
    fn an_unreadable_input_is_an_error_after_the_results_before_it() {
        for ordered in ALL {
            let mut seen = Vec::new();
            let items = [Ok(1), Err(io::Error::other("gone"))];
            let failed: anyhow::Error = ordered()
                .each(
                    items.into_iter(),
                    |n: i32| n,
                    |n| {
                        seen.push(n);
                        Ok(())
                    },
                )
                .unwrap_err();
            assert_eq!(format!("{failed:#}"), "cannot read the input: gone");
            assert_eq!(seen, [1]);
        }
    }

    #[test]
    fn a_panic_of_the_work_reaches_the_caller() {
        for ordered in ALL {
            let panicked = catch_unwind(|| {
                ordered().each(
                    (0..3).map(Ok),
                    |n| assert_ne!(n, 1, "expected by this test"),
                    |()| -> Result<()> { Ok(()) },
                )
            });
            assert!(panicked.is_err());
        }
    }
}
