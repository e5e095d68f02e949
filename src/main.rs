//! Parse, run, exit; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    limit_arenas();
    flowproof::decode::contained::quiet_panics();
    flowproof::cli::main(&flowproof::time::SystemClock)
}

/// Lets glibc's allocator keep two arenas instead of eight per processor: batches are made on one thread and freed on another,
/// which fragments them. By environment variables, `report egress` over 10 million records peaked at 335 MB with one
/// arena and at 332 MB with two and a trim threshold of 1 MB, instead of 431 MB; two alone were not measured (benches/README.md).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the allocator's setting is a C function")]
fn limit_arenas() {
    // SAFETY: mallopt takes two integers and is called before any other thread exists.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn limit_arenas() {}
