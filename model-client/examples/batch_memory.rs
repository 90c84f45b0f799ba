//! Answers many long requests in batches, and prints how much memory that took.
//!
//! Start a server with `loopback-model --batches --bytes 20000`, and give its address:
//! `cargo run --release -p model-client --example batch_memory -- URL MODEL REQUESTS BYTES`

#![expect(clippy::print_stdout, reason = "its result")]

use std::error::Error;
use std::time::{Duration, Instant};

use common::interrupt::Interrupt;
use model_client::{BatchSettings, Batches, CallSettings, Client, Journal, ModelTable, Prefix, Request};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, name, requests, bytes] = arguments.as_slice() else {
        return Err("usage: batch_memory URL MODEL REQUESTS BYTES".into());
    };
    let (requests, bytes): (usize, usize) = (requests.parse()?, bytes.parse()?);
    let env = |variable: &str| match variable {
        _ if variable.ends_with("_API_KEY") => Some("sk-loopback".to_owned()),
        _ if variable.ends_with("_BASE_URL") => Some(url.clone()),
        _ => None,
    };
    let (table, settings) = (ModelTable::built_in()?, CallSettings::default());
    let dir = tempfile::tempdir()?;
    let service = model_client::batches_of(name, &table, &settings, &env)?;
    let model = model_client::from_name(name, &table, &settings, &env)?;
    let batch = BatchSettings { poll: Duration::from_millis(100), then_live: false };
    let batches = Batches::open(dir.path(), model.name(), service, batch)?;
    let journal = Journal::open(&dir.path().join("answers.jsonl"))?;
    let client = Client::new(model, journal, settings, &Interrupt::new())
        .with_batches(batches, |news| println!("{news}"));

    println!("at the start: {}", peak()?);
    let start = Instant::now();
    let prefix = Prefix::from("What all of them are told.\n");
    client.ask_in_batches(|| {
        for number in 0..requests {
            let suffix = format!("Request {number}: {}", "a line of text\n".repeat(bytes / 15));
            let label = format!("files/{number}");
            drop(client.ask(&Request {
                label,
                prefix: prefix.clone(),
                suffix,
                max_output_tokens: None,
                sample: 0,
            }));
        }
    });
    let totals = client.totals();
    println!("{} answers, {}, in {:.0?}; {}", totals.answers, totals.cost(), start.elapsed(), peak()?);
    Ok(())
}

/// The most memory that this process has had at a time.
fn peak() -> Result<String, Box<dyn Error>> {
    let status = fs_err::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(format!("at most {} of memory", peak.unwrap_or("?").trim()))
}
