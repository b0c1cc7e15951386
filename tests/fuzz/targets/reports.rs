//! Every format of the report of any text comes to its end.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tsmigrate_analyzer::{Options, Target};
use tsmigrate_fuzz::{expect_none, faults_of_reports, one};

static TARGET: LazyLock<Target> = LazyLock::new(Target::default);

fuzz_target!(|text: &[u8]| {
    expect_none(&faults_of_reports(&one(text), &TARGET, &Options::default()));
});
