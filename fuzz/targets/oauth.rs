//! Feeds `checks/oauth.rs`.
#![no_main]

#[path = "../checks/mod.rs"]
#[allow(dead_code, reason = "each target has a check of its own")]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::oauth(input));
