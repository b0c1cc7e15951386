//! The pieces of any text tile it, in whatever chunks it comes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tsmigrate_fuzz::{expect_none, faults_of_pieces, lengths};

fuzz_target!(|text: &[u8]| {
    expect_none(&faults_of_pieces(text, &mut lengths(text)));
});
