//! Parses any text as an answer: no panic, and a valid task stays valid.
#![no_main]

use answer::ParsedAnswer;
use common::environment::TaskName;
use common::record::StopReason;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let answer = answer::parse(text, StopReason::End);
    check_names(&answer);
    let valid = answer.clone().validate(None);
    if valid.is_valid() {
        // A valid task is stable: parsing its files again changes nothing.
        let again = answer::from_files(&valid.files).validate(valid.task.as_ref());
        assert_eq!(again.files, valid.files);
        assert!(again.is_valid(), "{:?}", again.problems);
    }
    let planned = TaskName::new("planned_name");
    let renamed = answer.validate(planned.as_ref());
    assert_eq!(renamed.task, planned);
});

/// Every name leads below the task folder.
fn check_names(answer: &ParsedAnswer) {
    for (name, content) in &answer.files {
        assert!(name.split('/').all(|part| !part.is_empty() && !part.starts_with('.')), "{name:?}");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte)), "{name:?}");
        assert!(content.is_empty() || content.ends_with('\n'), "{content:?}");
    }
}
