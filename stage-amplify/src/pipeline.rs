//! Parallel work, with results in order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::ordered::Ordered;
use common::record::Record;
use model_client::AskError;

use crate::ask::{Halt, Unanswered};
use crate::session::Session;
use crate::writer::Writer;

/// Calls `work` on the items in parallel, and `emit` on the results in the items' order, each as soon as it
/// and all before it are there.
///
/// A task that failed becomes a `failure` record. When the client accepts no further call, results that are
/// there are still emitted, and the first such error is returned. Any other error ends the work at once.
///
/// With batches, all items are read first, and `ask` is called on each until the journal has all its answers.
pub(crate) fn run<T, R>(
    session: &Session<'_>,
    writer: &mut Writer,
    items: impl Iterator<Item = T> + Send + 'static,
    ask: impl Fn(&T) + Sync,
    work: impl Fn(T) -> R + Sync,
    mut emit: impl FnMut(&mut Writer, R) -> Result<(), Unanswered>,
) -> Result<(), Halt>
where
    T: Send + Sync + 'static,
    R: Send,
{
    let items = in_batches(session, items, ask);
    let mut ended: Option<AskError> = None;
    Ordered::on_threads(session.settings.calls.workers).each(items.map(Ok), work, |result| {
        match emit(writer, result) {
            Ok(()) => {}
            Err(Unanswered::Failed(failure)) => {
                session.asker.steps.failed();
                writer.record(&Record::Failure(*failure))?;
            }
            Err(Unanswered::Halt(Halt::Client(error))) => {
                ended.get_or_insert(error);
            }
            Err(Unanswered::Halt(halt)) => return Err(halt),
        }
        Ok(())
    })?;
    ended.map_or(Ok(()), |error| Err(Halt::Client(error)))
}

/// The same items, after their requests were answered in batches; at once without batches.
fn in_batches<T: Send + Sync + 'static>(
    session: &Session<'_>,
    items: impl Iterator<Item = T> + Send + 'static,
    ask: impl Fn(&T) + Sync,
) -> Box<dyn Iterator<Item = T> + Send> {
    if session.settings.batches().is_none() {
        return Box::new(items);
    }
    let items: Vec<T> = items.collect();
    session.asker.client.ask_in_batches(|| {
        // Each round counts from the start what the journal has.
        session.asker.steps.restart();
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..session.settings.calls.workers.min(items.len()) {
                scope.spawn(|| {
                    while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                        ask(item);
                    }
                });
            }
        });
    });
    session.asker.steps.restart();
    Box::new(items.into_iter())
}

/// Like [`run`], for tasks that become records by themselves.
pub(crate) fn write_tasks<T: Send + Sync + 'static>(
    session: &Session<'_>,
    writer: &mut Writer,
    tasks: Vec<T>,
    work: impl Fn(&T) -> Result<Vec<Record>, Unanswered> + Sync,
) -> Result<(), Halt> {
    let _shown = session.show(vec![session.settings.note_name()], Some(tasks.len()));
    run(
        session,
        writer,
        tasks.into_iter(),
        |task| drop(work(task)),
        |task| {
            let records = work(&task);
            if records.is_ok() {
                session.asker.steps.finished();
            }
            records
        },
        |writer, records| Ok(records?.iter().try_for_each(|record| writer.record(record))?),
    )
}
