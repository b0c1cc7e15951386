//! Any text is judged in chunks as it is at once.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tsmigrate_analyzer::{Options, Target};
use tsmigrate_fuzz::{expect_none, faults_of_chunks, lengths, one};

static TARGET: LazyLock<Target> = LazyLock::new(Target::default);

fuzz_target!(|text: &[u8]| {
    expect_none(&faults_of_chunks(&one(text), &TARGET, &Options::default(), &mut lengths(text)));
});
