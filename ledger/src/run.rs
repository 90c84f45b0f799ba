//! The program: serves runs, or prints the state of a ledger that does.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use common::exit::ExitStatus;
use common::interrupt::{Interrupt, Urgency};
use common::run_dir::RunDir;
use common::text::count;
use common::ui::{Ui, Verbosity};
use fs_err as fs;
use uuid::Uuid;

use crate::PROGRAM;
use crate::address::Address;
use crate::book::{Book, Limits};
use crate::client::Ledger;
use crate::journal::Journal;
use crate::protocol::Status;
use crate::server::Shared;
use crate::settings::{Action, Settings};

/// The address file and the journal in the folder of the ledger.
const ADDRESS: &str = "ledger.json";
const JOURNAL: &str = "ledger.jsonl";

/// Runs the program.
pub(crate) fn run(settings: &Settings) -> Result<ExitStatus> {
    match settings.action {
        Action::Serve { listen, limits } => serve(&settings.dir, listen, limits, settings.verbosity),
        Action::Status { json } => print_status(&settings.dir, json),
    }
}

fn serve(dir: &Path, listen: SocketAddr, limits: Limits, verbosity: Verbosity) -> Result<ExitStatus> {
    // It shows no progress.
    let ui = Ui::new(PROGRAM, verbosity, Duration::MAX);
    let interrupt = Interrupt::on_signals()?;
    fs::create_dir_all(dir)?;
    let _lock = RunDir::open(dir)?.lock("ledger")?;
    let (journal, past) = Journal::open(&dir.join(JOURNAL))?;
    let mut book = Book::new(limits);
    book.resume(past, Instant::now());
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen at {listen}"))?;
    let address = Address::new(listener.local_addr()?, Uuid::new_v4().simple().to_string());
    address.write(&dir.join(ADDRESS))?;
    ui.info(format_args!("listening at {}; {}", address.address, money(&book.status())));
    let shared = Shared::new(address.token, book, journal, ui);
    let (server, clock) = (shared.clone(), shared);
    thread::Builder::new().name("server".to_owned()).spawn(move || server.serve(&listener))?;
    thread::Builder::new().name("clock".to_owned()).spawn(move || clock.keep_time())?;
    // The channel carries nothing: the first signal closes it.
    interrupt.closed_at(Urgency::Drain).recv().ok();
    Ok(ExitStatus::Interrupted)
}

fn print_status(dir: &Path, json: bool) -> Result<ExitStatus> {
    let status = Ledger::status(&dir.join(ADDRESS))
        .with_context(|| format!("start it with: {PROGRAM} serve {}", dir.display()))?;
    let text = if json { serde_json::to_string(&status)? + "\n" } else { table(&status) };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitStatus::Done)
}

fn table(status: &Status) -> String {
    let mut text = money(status) + "\n";
    for provider in &status.providers {
        let _ = writeln!(
            text,
            "{}: {} of at most {} in flight, {} waiting, of {}",
            provider.name,
            provider.in_flight,
            provider.limit,
            provider.waiting,
            count(u64::from(provider.runs), "run")
        );
    }
    text
}

fn money(status: &Status) -> String {
    let budget = status.max_cost.map_or_else(String::new, |max| format!(" of ${max:.2}"));
    let batches = match status.batches {
        0 => "",
        1 => ", also for a batch",
        _ => ", also for batches",
    };
    format!("${:.2}{budget} spent, ${:.2} reserved{batches}", status.spent, status.reserved)
}
