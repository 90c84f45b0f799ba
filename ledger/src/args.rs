//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};
use common::ui::Verbosity;

use crate::book::Limits;
use crate::settings::{Action, Settings};

/// Holds one rate limit and one budget for all runs that ask the same provider.
///
/// Start it before the runs, and pass its address file to each: `stage-amplify --ledger DIR/ledger.json`, or the
/// environment variable PROPOSE_AMPLIFY_LEDGER. Calls of all runs are served in turn. The number of calls in flight
/// adapts to what the provider accepts.
#[derive(Debug, Parser)]
#[command(name = "fleet-ledger", version, max_term_width = 110, after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve runs until interrupted; what they spent is kept in DIR, and counts when it is started again
    Serve(Serve),
    /// Print what is spent and which calls are in flight
    Status {
        /// The folder of the ledger
        dir: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Parser)]
struct Serve {
    /// The folder for the address file `ledger.json` and the journal `ledger.jsonl`
    dir: PathBuf,

    /// The most that all runs together may spend, in US dollars
    #[arg(long, value_name = "USD")]
    max_cost: Option<f64>,

    /// The maximum number of calls in flight to one model [default: what the provider accepts]
    #[arg(long, value_name = "N")]
    in_flight: Option<u32>,

    /// Where to listen; 0.0.0.0:0 for runs on other machines
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Keep the reservation of a call that ended with its process for SECONDS: the provider may charge for it
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    lease_sec: u64,

    /// Print only warnings and errors
    #[arg(short, long)]
    quiet: bool,
}

/// The examples in `--help`.
const EXAMPLES: &str = "Examples:
  fleet-ledger serve runs --max-cost 500 &
  PROPOSE_AMPLIFY_LEDGER=runs/ledger.json make run SOFTWARE=Moodle ENV_DIR=moodle_env
  fleet-ledger status runs

Exit status:
  0    done
  2    cannot start, or the ledger does not answer
  130  interrupted";

impl Args {
    /// Checks the arguments.
    pub(crate) fn into_settings(self) -> Result<Settings> {
        match self.command {
            Command::Status { dir, json } => {
                Ok(Settings { dir, verbosity: Verbosity::Normal, action: Action::Status { json } })
            }
            Command::Serve(serve) => serve.into_settings(),
        }
    }
}

impl Serve {
    fn into_settings(self) -> Result<Settings> {
        ensure!(self.max_cost.is_none_or(|max| max >= 0.0), "--max-cost must not be negative");
        ensure!(self.in_flight != Some(0), "--in-flight must be at least 1");
        Ok(Settings {
            dir: self.dir,
            verbosity: if self.quiet { Verbosity::Quiet } else { Verbosity::Normal },
            action: Action::Serve {
                listen: self.listen,
                limits: Limits {
                    max_cost: self.max_cost,
                    in_flight: self.in_flight.unwrap_or(u32::MAX),
                    lease: Duration::from_secs(self.lease_sec),
                },
            },
        })
    }
}
