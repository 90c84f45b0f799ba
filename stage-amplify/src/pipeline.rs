//! Parallel work, with results in order.

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
pub(crate) fn run<T, R>(
    session: &Session<'_>,
    writer: &mut Writer,
    items: impl Iterator<Item = T> + Send + 'static,
    work: impl Fn(T) -> R + Sync,
    mut emit: impl FnMut(&mut Writer, R) -> Result<(), Unanswered>,
) -> Result<(), Halt>
where
    T: Send + 'static,
    R: Send,
{
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

/// Like [`run`], for tasks that become records by themselves.
pub(crate) fn write_tasks<T: Send + 'static>(
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
