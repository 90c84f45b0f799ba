//! The threads that wait for a model.
//!
//! They are a rayon pool of their own, apart from the one that computes, as calls last minutes and use no
//! processor. Each thread runs one long loop over a channel, and rayon's own queues stay empty: with
//! hundreds of threads that sleep most of the time, waking them to steal from each other costs more than
//! all the work there is.

use crossbeam_channel::Receiver;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// Enough for a call and its parsing; a thousand of these still are little.
const STACK_BYTES: usize = 512 * 1024;

/// A fixed number of threads.
pub struct Pool {
    threads: ThreadPool,
}

impl Pool {
    /// A pool of so many threads; at least one.
    pub fn new(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        let threads = ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .thread_name(|index| format!("call-{index}"))
            .stack_size(STACK_BYTES)
            .build()?;
        Ok(Self { threads })
    }

    /// Does `work` on every job that comes, each on a thread that is free, until the channel is closed and
    /// empty. Returns when all of it is done, so feed the channel from another thread.
    pub fn run<J: Send>(&self, jobs: &Receiver<J>, work: impl Fn(J) + Sync) {
        self.threads.broadcast(|_| {
            for job in jobs {
                work(job);
            }
        });
    }
}
