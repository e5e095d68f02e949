//! Calls into libraries that panic on damaged bytes: the panic becomes a fault of the object, and stays off the terminal.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a call into a library; what it worked on must not be used again after a fault.
///
/// # Errors
/// What the library panicked with.
pub fn contained<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    CONTAINED.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(call));
    CONTAINED.set(false);
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        format!("the bytes are beyond the reader: {}", text.unwrap_or("it gave up"))
    })
}

/// Returns whether this thread is in such a call.
pub fn is_contained() -> bool {
    CONTAINED.get()
}

/// Keeps the message of contained panics off stderr: they are told as the fault of an object.
pub fn quiet_panics() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_contained() {
            told(panic);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_panic_becomes_a_fault() {
        assert_eq!(contained(|| 7), Ok(7));
        let fault = contained(|| assert!([1, 2].len() > 2, "bit width {}", 33)).unwrap_err();
        assert!(fault.ends_with(": bit width 33"), "{fault}");
        assert!(!is_contained());
        assert_eq!(contained(is_contained), Ok(true));
    }

    #[test]
    fn only_panics_that_are_not_contained_are_told() {
        static TOLD: AtomicUsize = AtomicUsize::new(0);
        // The hook is the process's: other tests' panics go on to the one before.
        let (here, before) = (std::thread::current().id(), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| match std::thread::current().id() == here {
            true => drop(TOLD.fetch_add(1, Ordering::SeqCst)),
            false => before(panic),
        }));
        quiet_panics();
        assert!(contained(|| assert!(TOLD.load(Ordering::SeqCst) > 9, "contained")).is_err());
        assert_eq!(TOLD.load(Ordering::SeqCst), 0);
        assert!(catch_unwind(|| assert!(TOLD.load(Ordering::SeqCst) > 9, "told")).is_err());
        assert_eq!(TOLD.load(Ordering::SeqCst), 1);
    }
}
