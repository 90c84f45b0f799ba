//! What is drawn on a terminal, which here is a pseudoterminal of 60 columns.

use std::os::fd::OwnedFd;
use std::process::Stdio;

use fs_err::OpenOptions;
use rustix::fs::{FlockOperation, flock};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use testkit::{Play, Server};

use crate::ending::Door;
use crate::world::{Call, World, call, good, good_server, task};

/// Removes what is drawn.
const CLEAR: &str = "\r\u{1b}[J";

/// Both ends of a terminal.
struct Terminal {
    screen: OwnedFd,
    device: fs_err::File,
    seen: String,
}

impl Terminal {
    fn new() -> Self {
        let screen: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        unlockpt(&screen).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&screen, size).unwrap();
        let name = ptsname(&screen, Vec::new()).unwrap().into_string().unwrap();
        let device = OpenOptions::new().read(true).write(true).open(name).unwrap();
        Self { screen, device, seen: String::new() }
    }

    fn stderr(&self) -> Stdio {
        self.device.try_clone().unwrap().into_parts().0.into()
    }

    /// Reads until this was written.
    fn wait_for(&mut self, text: &str) {
        let mut bytes = [0; 4096];
        while !self.seen.contains(text) {
            let count = rustix::io::read(&self.screen, &mut bytes).unwrap();
            self.seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    }
}

#[test]
fn a_row_fits_into_the_terminal_and_is_removed_at_the_end() {
    let (world, door, mut terminal) = (World::new(), Door::default(), Terminal::new());
    let before = door.clone();
    let server = Server::start(move |asked| {
        if call(asked) == Call::Files(task(3)) {
            before.pass();
        }
        Play::Answer(good(asked))
    });
    let mut command = world.command_at(&server, &["--count", "3"]);
    command.env("TERM", "xterm").stdout(Stdio::null()).stderr(terminal.stderr());
    let mut child = command.spawn().unwrap();
    terminal.wait_for("amplify: 2/3 tasks, 1 in flight, $0.");
    door.open();
    terminal.wait_for(" per task");
    assert!(child.wait().unwrap().success());
    let (drawn, after) = terminal.seen.rsplit_once(" in flight").unwrap();
    assert!(after.contains(CLEAR), "{after:?}");
    for row in drawn.lines().filter(|row| row.contains("amplify: ") && row.contains(" in flight")) {
        let row = row.split('\u{1b}').next().unwrap();
        assert!(row.chars().count() < 60, "{row:?}");
    }
}

#[test]
fn while_another_process_draws_there_are_only_lines() {
    let (world, server, mut terminal) = (World::new(), good_server(), Terminal::new());
    flock(&terminal.device, FlockOperation::LockExclusive).unwrap();
    let mut command = world.command_at(&server, &["--count", "3", "--progress-interval", "0.02"]);
    command.env("TERM", "xterm").stdout(Stdio::null()).stderr(terminal.stderr());
    assert!(command.status().unwrap().success());
    terminal.wait_for(" per task");
    assert!(!terminal.seen.contains("in flight"), "{}", terminal.seen);
    assert!(terminal.seen.contains(&format!("{CLEAR}stage-amplify: planned 3 tasks")), "{}", terminal.seen);
}
