//! The place of the browser checker: a wasm-bindgen wrapper around `tsmigrate_analyzer`, and the page. Not written yet.
//! What is here already is `sysroot`, the C headers that PostgreSQL's parser lacks on wasm32-unknown-unknown, and
//! `cargo-wasm`, which runs cargo with them.
