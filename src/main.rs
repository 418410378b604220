//! Portreeve's one program.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything can open a TLS connection; a second provider is refused, and then ours is already there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    portreeve::app::run(std::env::args_os())
}
