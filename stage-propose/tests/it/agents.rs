//! Agents other than Claude Code.

use fs_err as fs;

use crate::world::{World, check_run, failures};

#[test]
fn any_command_can_be_the_agent() {
    let world = World::new();
    fs::rename(world.path("claude"), world.path("my agent")).unwrap();
    world.script(1, "echo 'reading the notes'");
    world.script(2, "write_task one; echo mess >\"$ENV/mess\"");
    world.script(3, "");
    let command = "./'my agent' --do {prompt_file} --in {env_dir} --id {session_id}";
    let output = world.run(&["--agent", "command", "--agent-cmd", command, "--seed-count", "1"]);
    check_run(&output, 1, &["failure stray_write", "seed one"]);
    let argv = world.recorded("argv", 2);
    let argv: Vec<&str> = argv.lines().collect();
    assert_eq!(
        (argv[0], argv[2], argv[3], argv[4]),
        ("--do", "--in", world.env_dir().to_str().unwrap(), "--id")
    );
    assert!(fs::read_to_string(argv[1]).unwrap().starts_with("Now write 1 new task for `demo_env` (Demo)"));
    assert_eq!(world.recorded("stdin", 1).trim(), "/dev/null");
}

#[test]
fn the_agent_exit_status_is_checked() {
    let world = World::new();
    world.script(1, "echo 'no credit left' >&2; exit 3");
    let output = world.run(&["--agent", "command", "--agent-cmd", "./claude {prompt_file}"]);
    check_run(&output, 1, &["failure phase_failed", "failure too_few_seeds"]);
    assert!(failures(&output, "phase_failed")[0].contains("ended with exit status 3: no credit left"));
}
