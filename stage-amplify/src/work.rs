//! Many calls at once, and their results in order.

use std::collections::BTreeMap;
use std::thread;

use anyhow::Result;
use crossbeam_channel::{Receiver, Sender, never, select, unbounded};
use model_client::pool::Pool;

/// Works on `jobs` as they arrive, on the threads of `pool`, and hands each result to `emit` in the order of
/// the jobs, as soon as it and all before it are there. `emit` may ask for the work to be done again with
/// another job: what comes after it waits. When `emit` fails, what has not begun is left undone.
///
/// The jobs come from a thread of their own, which is not waited for when `emit` fails: it may be waiting
/// for a line that never comes.
pub(crate) fn in_order<J, R>(
    pool: &Pool,
    jobs: impl Iterator<Item = J> + Send + 'static,
    work: impl Fn(&J) -> R + Sync,
    mut emit: impl FnMut(R) -> Result<Option<J>>,
) -> Result<()>
where
    J: Send + 'static,
    R: Send,
{
    let (arrive, arriving) = unbounded();
    let (begin, beginning) = unbounded();
    let (finish, finished) = unbounded();
    thread::Builder::new().name("jobs".to_owned()).spawn(move || {
        for job in jobs {
            if arrive.send(job).is_err() {
                return;
            }
        }
    })?;
    thread::scope(|scope| {
        let work = &work;
        scope.spawn(move || {
            pool.run(&beginning, |(number, job): (usize, J)| {
                // Nobody takes results any more once `emit` has failed.
                drop(finish.send((number, work(&job))));
            });
        });
        let mut dispatcher =
            Dispatcher { begin: Some(begin), begun: 0, emitted: 0, waiting: BTreeMap::new() };
        dispatcher.run(arriving, &finished, &mut emit)
    })
}

/// Where jobs go out and results come in.
struct Dispatcher<J, R> {
    /// Takes jobs to the workers. They go home when it is dropped.
    begin: Option<Sender<(usize, J)>>,
    begun: usize,
    emitted: usize,
    /// Results that wait for one before them.
    waiting: BTreeMap<usize, R>,
}

impl<J, R> Dispatcher<J, R> {
    fn run(
        &mut self,
        mut arriving: Receiver<J>,
        finished: &Receiver<(usize, R)>,
        emit: &mut impl FnMut(R) -> Result<Option<J>>,
    ) -> Result<()> {
        let mut more = true;
        while more || self.emitted < self.begun {
            select! {
                recv(arriving) -> job => if let Ok(job) = job {
                    self.send(self.begun, job);
                    self.begun += 1;
                } else {
                    (more, arriving) = (false, never());
                },
                recv(finished) -> result => {
                    // The workers are there for as long as this has a sender for them.
                    let Ok((number, result)) = result else { break };
                    self.waiting.insert(number, result);
                    if let Err(error) = self.emit_waiting(emit) {
                        self.call_off();
                        return Err(error);
                    }
                }
            }
        }
        self.call_off();
        Ok(())
    }

    fn emit_waiting(&mut self, emit: &mut impl FnMut(R) -> Result<Option<J>>) -> Result<()> {
        while let Some(result) = self.waiting.remove(&self.emitted) {
            match emit(result)? {
                Some(again) => {
                    return {
                        self.send(self.emitted, again);
                        Ok(())
                    };
                }
                None => self.emitted += 1,
            }
        }
        Ok(())
    }

    fn send(&self, number: usize, job: J) {
        if let Some(begin) = &self.begin {
            // The workers hold the other end for as long as there is this one.
            drop(begin.send((number, job)));
        }
    }

    fn call_off(&mut self) {
        self.begin = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let pool = Pool::new(8).unwrap();
        let mut seen = Vec::new();
        in_order(
            &pool,
            0..500,
            |n| n * 2,
            |n| {
                seen.push(n);
                Ok(None)
            },
        )
        .unwrap();
        assert_eq!(seen, (0..500).map(|n| n * 2).collect::<Vec<_>>());
    }

    #[test]
    fn a_result_that_will_not_do_is_worked_on_again_in_its_place() {
        let pool = Pool::new(4).unwrap();
        let mut seen = Vec::new();
        in_order(
            &pool,
            0..10,
            |n| *n,
            |n| {
                seen.push(n);
                Ok((n == 3).then_some(33))
            },
        )
        .unwrap();
        assert_eq!(seen, [0, 1, 2, 3, 33, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_result_is_emitted_while_jobs_are_still_to_come() {
        let pool = Pool::new(2).unwrap();
        let (give, jobs) = mpsc::channel();
        let (emitted, heard) = mpsc::channel();
        let worker = thread::spawn(move || {
            in_order(
                &pool,
                jobs.into_iter(),
                |n: &i32| *n,
                |n| {
                    emitted.send(n)?;
                    Ok(None)
                },
            )
        });
        for n in 0..3 {
            give.send(n).unwrap();
            assert_eq!(heard.recv().unwrap(), n);
        }
        drop(give);
        worker.join().unwrap().unwrap();
    }

    #[test]
    fn a_failure_to_emit_ends_the_work_though_jobs_are_to_come() {
        let pool = Pool::new(2).unwrap();
        let (give, jobs) = mpsc::channel();
        give.send(1).unwrap();
        let failed =
            in_order(&pool, jobs.into_iter(), |n: &i32| *n, |_| anyhow::bail!("no room")).unwrap_err();
        assert_eq!(failed.to_string(), "no room");
        drop(give);
    }
}
