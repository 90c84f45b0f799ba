//! Checks any text as a shell script: no panic, no endless search.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &str| {
    if let Err(error) = task_spec::shell::check(script) {
        assert!((1..=script.split('\n').count()).contains(&error.line), "{error}");
    }
});
