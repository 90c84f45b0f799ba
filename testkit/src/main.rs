//! `loopback-model`: a model server for benchmarks and manual tests.

use fs_err::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Parser;
use testkit::faults::{self, Limit, Rates};
use testkit::{BatchFaults, Extras, Reply, Server, author};

/// Serves a simulated model on the loopback interface, in the formats of Anthropic, Gemini and OpenAI.
///
/// Prints its address. Point ANTHROPIC_BASE_URL, GEMINI_BASE_URL or OPENAI_BASE_URL at it.
#[derive(Parser)]
#[command(version)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
struct Args {
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Seconds until the first piece of an answer.
    #[arg(long, default_value_t = 0.3)]
    first: f64,
    /// Seconds until the last piece of an answer.
    #[arg(long, default_value_t = 2.0)]
    last: f64,
    /// The length of an answer, in bytes.
    #[arg(long, default_value_t = 20_000)]
    bytes: usize,
    /// The number of pieces of an answer.
    #[arg(long, default_value_t = 20)]
    pieces: usize,
    /// Answer the prompts of stage-amplify with tasks instead of filler text.
    #[arg(long)]
    author: bool,
    /// The share of requests that are answered with 429, from 0 to 1.
    #[arg(long, default_value_t = 0.0, conflicts_with = "bad_day")]
    rate_limited: f64,
    /// Seconds to wait, as a 429 says.
    #[arg(long, default_value_t = 1.0)]
    retry_after: f64,
    /// Take batches too.
    #[arg(long)]
    batches: bool,
    /// Inject faults at the rates of a bad day.
    #[arg(long)]
    bad_day: bool,
    /// Inject faults into 5 % of the calls; a fifth of them hang.
    #[arg(long, conflicts_with = "bad_day")]
    faults: bool,
    /// The most calls per second, of all clients together; further ones get a 429.
    #[arg(long)]
    per_second: Option<f64>,
    /// Write a line of JSON for each call to this file: for whom, how it ended, its tokens.
    #[arg(long)]
    bill: Option<PathBuf>,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let text: String = "All work and no play makes a dull model. ".chars().cycle().take(args.bytes).collect();
    let (first, last) = (Duration::from_secs_f64(args.first), Duration::from_secs_f64(args.last));
    let rates = match (args.bad_day, args.faults) {
        (true, _) => Rates::BAD_DAY,
        (_, true) => Rates::USUAL_DAY,
        _ => Rates { rate_limited: args.rate_limited, ..Rates::default() },
    };
    let limit = args.per_second.map(Limit::new);
    let bill = args.bill.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
    let retry_after = Duration::from_secs_f64(args.retry_after);
    let extras = Extras { batches: args.batches.then(BatchFaults::default), bill };
    let server = Server::at_with(args.port, extras, move |asked| {
        if let Some(Err(wait)) = limit.as_ref().map(Limit::take) {
            return faults::rate_limited(asked.format, wait);
        }
        let answer = if args.author { author::good(asked) } else { Reply::new(text.clone()) };
        let answer = Reply { pieces: args.pieces, ..answer }.taking(first, last);
        rates.strike(asked, answer, retry_after)
    })?;
    writeln!(io::stdout(), "{}", server.url())?;
    loop {
        thread::park();
    }
}
