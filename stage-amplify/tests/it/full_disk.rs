//! What a disk that fills up leaves of a run.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use fs_err as fs;
use testkit::{Play, Server};

use crate::ending::Door;
use crate::world::{Call, World, call, good};

/// Runs the stage with its run directory on a small disk, which is filled once the file `fill` is there. Then runs it
/// on the same disk with more room.
const SMALL_DISK: &str = r#"
mount -t tmpfs -o size=32m none "$RUN" || exit
"$@" </dev/null 2>first.stderr >/dev/null &
while ! test -e fill; do sleep 0.05; done
head -c 64m /dev/zero >"$RUN/filler" 2>/dev/null
touch full
wait $!
echo $? >first.status
rm "$RUN/filler"
cp "$RUN/answers.jsonl" first.jsonl
"$@" </dev/null 2>second.stderr >/dev/null
echo $? >second.status
cp "$RUN/answers.jsonl" second.jsonl
du -k "$RUN/answers.jsonl" >second.size
"#;

fn can_mount() -> bool {
    let disk = tempfile::tempdir().unwrap();
    let mut mount = Command::new("unshare");
    mount.args(["-r", "-m", "mount", "-t", "tmpfs", "none"]).arg(disk.path());
    mount.output().is_ok_and(|output| output.status.success())
}

fn wait_for(path: &Path) {
    while !path.exists() {
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn e1_answers_in_flight_are_kept_when_the_disk_becomes_full() {
    if !can_mount() {
        eprintln!("skipped: no small disk can be mounted here");
        return;
    }
    let world = World::new();
    let door = Door::default();
    let before = door.clone();
    let server = Server::start(move |asked| {
        if matches!(call(asked), Call::Fixtures(_)) {
            before.pass();
        }
        Play::Answer(good(asked))
    });
    fs::create_dir_all(world.run_dir()).unwrap();
    let stage = world.command_at(&server, &["--count", "8", "--num-workers", "8"]);
    let mut shell = Command::new("unshare");
    shell.args(["-r", "-m", "sh", "-c", SMALL_DISK, "sh"]).arg(stage.get_program()).args(stage.get_args());
    shell.envs(stage.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut shell = shell.current_dir(world.root()).env("RUN", world.run_dir()).spawn().unwrap();

    server.wait_for(1 + 8 + 8 + 8 + 8);
    world.write("fill", "");
    wait_for(&world.path("full"));
    door.open();
    assert!(shell.wait().unwrap().success());

    let said = |name: &str| fs::read_to_string(world.path(name)).unwrap();
    assert_eq!(said("first.status"), "2\n", "{}", said("first.stderr"));
    assert!(said("first.stderr").contains("No space left on device"), "{}", said("first.stderr"));
    assert_eq!(said("first.jsonl").lines().count(), 33, "{}", said("first.stderr"));
    assert_eq!(said("second.status"), "0\n", "{}", said("second.stderr"));
    assert_eq!((said("second.jsonl"), server.log().len()), (said("first.jsonl"), 33));
    // What was reserved is free again.
    let kilobytes: usize = said("second.size").split_ascii_whitespace().next().unwrap().parse().unwrap();
    assert!(kilobytes <= said("second.jsonl").len() / 1024 + 8, "{kilobytes}");
}
