//! The HTTP agent that makes the calls of one model.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use crate::facts::ModelFacts;
use crate::settings::{CallSettings, Timeouts};

/// Small buffers, as there is a pair for each of hundreds of calls in flight.
pub(super) const BUFFER: usize = 16 * 1024;
/// Environment variables with a proxy URL, in ureq's order.
const PROXY_VARIABLES: [&str; 6] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
/// The time limit of a connection to a server that has answered nothing yet. The system has asked for it three times
/// by then. A server that has answered before may be overloaded: it gets longer.
const FIRST_CONNECT: Duration = Duration::from_secs(5);
/// Files that a process has open beside its connections.
const OTHER_FILES: u64 = 128;

/// The time limits of a call.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    connect: Duration,
    pub(super) silence: Duration,
    pub(super) total: Duration,
}

impl Limits {
    /// The limits by the settings, or else by what the model is asked for.
    pub(super) fn new(timeouts: Timeouts, facts: &ModelFacts) -> Self {
        let usual = facts.silence_limit();
        let silence = timeouts.silence.unwrap_or(usual);
        // A short silence must not cut a long answer.
        let total = timeouts.total.unwrap_or(silence.max(usual) * 4);
        Self { connect: timeouts.connect, silence, total }
    }

    /// The time limit of a connection, by whether the server has answered before.
    pub(super) fn connect(&self, is_reached: bool) -> Duration {
        if is_reached { self.connect } else { self.connect.min(FIRST_CONNECT) }
    }
}

/// An agent for as many calls in flight as the settings allow.
pub(super) fn agent(settings: &CallSettings, limits: Limits) -> Agent {
    let Limits { connect: _, silence, total } = limits;
    Agent::config_builder()
        .http_status_as_error(false)
        // A redirect would send the key to another server.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("propose-amplify/", env!("CARGO_PKG_VERSION")))
        .accept("text/event-stream, application/json")
        // Compression delays the events of a stream.
        .accept_encoding("identity")
        .timeout_recv_response(Some(silence))
        .timeout_per_read(Some(silence))
        .timeout_global(Some(total))
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .max_idle_connections(settings.workers)
        .max_idle_connections_per_host(settings.workers)
        .max_idle_age(Duration::from_secs(30))
        // The system's certificates, as companies have their own.
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .build()
        .new_agent()
}

/// The environment variable whose value is not a valid proxy URL, where ureq would pass over it and make calls
/// without a proxy.
pub(super) fn invalid_proxy(env: &dyn Fn(&str) -> Option<String>) -> Option<&'static str> {
    let set = |variable: &&str| env(variable).is_some_and(|value| !value.trim().is_empty());
    let variable = PROXY_VARIABLES.into_iter().find(set)?;
    Proxy::new(&env(variable)?).is_err().then_some(variable)
}

/// Raises the soft limit of open files so that this process can have a connection for each worker.
pub(super) fn allow_connections(workers: usize) {
    let limits = getrlimit(Resource::Nofile);
    let wanted = (workers as u64).saturating_add(OTHER_FILES);
    if limits.current.is_some_and(|current| current < wanted) {
        let current = limits.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        // If this fails, calls fail with a message of their own.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), ..limits });
    }
}
