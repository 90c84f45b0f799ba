//! Any text, taken for an answer: no panic, and nothing doubtful comes out as a task.
#![no_main]

use answer::{self, Answer};
use common::environment::TaskName;
use common::record::StopReason;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let answer = answer::parse(text, StopReason::End);
    check_names(&answer);
    let sound = answer.clone().judge(None);
    if sound.is_sound() {
        // What can be published is stable: unpacked again, one file after the other, nothing changes.
        let again = answer::from_files(&sound.files).judge(sound.task.as_ref());
        assert_eq!(again.files, sound.files);
        assert!(again.is_sound(), "{:?}", again.problems);
    }
    let planned = TaskName::new("planned_name");
    let mended = answer.judge(planned.as_ref());
    assert_eq!(mended.task, planned);
});

/// Every name leads below the task folder, whatever was written.
fn check_names(answer: &Answer) {
    for (name, content) in &answer.files {
        assert!(name.split('/').all(|part| !part.is_empty() && !part.starts_with('.')), "{name:?}");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte)), "{name:?}");
        assert!(content.is_empty() || content.ends_with('\n'), "{content:?}");
    }
}
