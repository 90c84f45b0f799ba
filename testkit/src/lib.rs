//! Support for tests and benchmarks, not part of the product: a temporary workspace ([`Workspace`]), programs that
//! are run to completion ([`Ran`]), and a model server on the loopback interface ([`Server`]) that speaks the
//! providers' formats, logs every request, and can fail on purpose.
//!
//! ```
//! use testkit::{Reply, Play, Server};
//!
//! let server = Server::start(|asked| Play::Answer(Reply::new(format!("You said: {}", asked.prompt))));
//! // … point GEMINI_BASE_URL, ANTHROPIC_BASE_URL or OPENAI_BASE_URL at server.url(), and ask …
//! assert!(server.log().is_empty());
//! ```

pub mod author;
mod batch;
mod bill;
mod exchange;
pub mod faults;
mod http;
mod ran;
mod server;
mod wire;
mod workspace;

pub use batch::{Batch, BatchFaults, Billed, Ending};
pub use exchange::{Asked, End, Format, Logged, Play, Reply};
pub use ran::{Ran, spawn_silently};
pub use server::{Extras, Server};
pub use workspace::{ENV, ENV_DIR, ENVIRONMENTS, VERIFIER, Workspace, files_below, names_in};
