//! Runs untrusted Python functions with no access to the machine.
//!
//! A [`Sandbox`] is a process with a Python in it. It takes a [`Program`] (files, and a function in one of
//! them) and calls the function in given [`State`]s, once or more often in each. Each call is a [`Run`]. This
//! crate does not judge results.
//!
//! A sandbox is set up before any untrusted code is loaded ([`enter_role`]): a user, mount, PID, network, IPC and
//! host name namespace, a root file system that holds Python and nothing else, and a user id that owns
//! nothing. Python starts in it once, with the [`harness`]. Each run is a fork of that Python and gives up the
//! rest: capabilities, file access ([Landlock]), system calls ([`seccomp`]), resources.
//!
//! Guarantees, each tested with code that tries to break it:
//! - Nothing outside the sandbox is read, written, signalled or reached over a network.
//! - A run leaves nothing behind: its processes end with its PID namespace, its files with its mount.
//! - A run cannot reach another run: not its processes, its files or its result. The caller decides to which
//!   run a result belongs.
//! - A result is plain data, read by a process that never executes code of a program. Printing a result, writing
//!   one to every descriptor, replacing functions or exiting early does not produce one.
//!
//! Not guaranteed: that a result is what the function returned. Code that gets at the memory of its process can
//! forge its own result, and only that one.
//!
//! A program that uses this crate calls [`enter_role`] first: a sandbox is the same program, started again.
//!
//! [Landlock]: https://docs.kernel.org/userspace-api/landlock.html

mod assessment;
pub mod confinement;
mod error;
mod harness;
mod interpreter;
mod launch;
mod live;
mod missing;
mod process;
mod program;
mod root;
mod run;
mod seccomp;
mod self_test;
mod task;

pub use self::assessment::{Assessment, FULL_SCORE, Fault};
pub use self::error::SandboxError;
pub use self::interpreter::Interpreter;
pub use self::launch::enter_role;
pub use self::live::{Environment, NoAnswer};
pub use self::process::{Sandbox, Settings};
pub use self::program::{File, Otherwise, Program, Repetition, State, Vlm};
pub use self::run::{Exception, Run, RunEnd, Runs, Unreadable};
pub use self::self_test::{Attempt, self_test};
pub use self::task::{TaskError, TaskFolder, VerifiedTask, load};
