//! Runs whose answers come from a journal.

use crate::support::{Place, journal, task};

fn replay(place: &Place, count: usize) -> String {
    format!("replay:{}", place.write("journal.jsonl", &journal(count)).display())
}

#[test]
fn all_passes_leave_their_manifests_in_order() {
    let place = Place::new();
    let model = replay(&place, 6);
    let ran = place.run(&["--count", "6", "--model", &model, "--num-workers", "3"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let expected: Vec<_> = (1..=6).map(|n| ("files".to_owned(), task(n))).collect();
    assert_eq!(ran.records(), expected);
    assert_eq!(ran.stdout, place.read("files.jsonl"));
    for manifest in ["plan.jsonl", "specs.jsonl"] {
        assert_eq!(place.read(manifest).lines().count(), 6);
    }
    let seeds = fs_err::read_to_string(place.env_dir().join("tasks/seed_tasks.json")).unwrap();
    let seeds: Vec<String> = serde_json::from_str(&seeds).unwrap();
    assert_eq!((seeds.len(), seeds[0].as_str(), &seeds[6]), (7, "open_period", &task(6)));
}

#[test]
fn passes_by_themselves_give_what_they_give_together() {
    let together = Place::new();
    let model = replay(&together, 4);
    together.run(&["--count", "4", "--model", &model]);
    let apart = Place::new();
    let model = replay(&apart, 4);
    for pass in ["plan", "readme", "files", "snapshot"] {
        let ran = apart.run(&["--count", "4", "--model", &model, "--pass", pass]);
        assert_eq!(ran.status, Some(0), "{pass}: {ran:?}");
    }
    for manifest in ["plan.jsonl", "specs.jsonl", "files.jsonl", "prompts/readme.1.md", "prompts/files.1.md"]
    {
        assert_eq!(together.read(manifest), apart.read(manifest), "{manifest}");
    }
    let seeds =
        |place: &Place| fs_err::read_to_string(place.env_dir().join("tasks/seed_tasks.json")).unwrap();
    assert_eq!(seeds(&together), seeds(&apart));
}

#[test]
fn what_is_in_the_run_directory_is_not_asked_for_again() {
    let place = Place::new();
    let model = replay(&place, 4);
    let first = place.run(&["--count", "4", "--model", &model]);
    // What the run itself puts into the environment changes no request.
    place.write_task(&task(1), "Settle account 1.");
    let second = place.run(&["--count", "4", "--model", &model]);
    assert_eq!(first.stdout, second.stdout);
    assert!(second.stderr.contains(" 0 answers from the model, 8 from the journal"), "{}", second.stderr);
    assert!(!second.stderr.contains("--fresh"), "{}", second.stderr);
}
