//! Parse, run, exit; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    bound_allocator();
    flowproof::decode::contained::quiet_panics();
    flowproof::cli::main(&flowproof::time::SystemClock)
}

/// Tells glibc's allocator how to keep what is freed. Batches are made on one thread and freed on another, which fragments its arenas:
/// two instead of eight per processor. By itself it also comes to keep ever larger pieces in them, up to 32 MiB: text as long as a line
/// may be then took 180 to 320 MB for the same statement, 160 to 170 where pieces of a MiB go straight back (benches/README.md).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the allocator's settings are C functions")]
fn bound_allocator() {
    const MIB: libc::c_int = 1 << 20;
    // To set the first threshold leaves the other at 128 KiB, by which arenas would shrink and grow all the time.
    for (setting, value) in [(libc::M_ARENA_MAX, 2), (libc::M_MMAP_THRESHOLD, MIB), (libc::M_TRIM_THRESHOLD, 16 * MIB)] {
        // SAFETY: mallopt takes two integers and is called before any other thread exists.
        unsafe {
            libc::mallopt(setting, value);
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn bound_allocator() {}
