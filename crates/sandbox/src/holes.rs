//! Fills the holes in this process's memory, so that what its copies allocate lies close together.
//!
//! A copy shares every page until it writes to it; then the kernel copies the page, which costs microseconds. New objects
//! that go into holes all over the memory of the warm interpreter copy a page each. Behind the last of what is there, they
//! share a few.

use std::ffi::c_void;

/// The function `PyObject_Malloc`.
pub(crate) type Allocate = unsafe extern "C" fn(usize) -> *mut c_void;

/// Python keeps blocks of one size together, for each multiple of this many bytes up to the largest.
const STEP: usize = 16;
const LARGEST: usize = 512;
/// Blocks that are one behind the other over so many bytes lie where nothing was before.
const FRESH: usize = 4096;
/// Blocks of one size at most, against endless loops.
const PATIENCE: usize = 20_000;

/// Fills the holes of Python's allocator and of the C library's. What is filled is never let go.
pub(crate) fn fill(python: Allocate) {
    for size in (STEP..=LARGEST).step_by(STEP) {
        fill_blocks(python, size);
    }
    fill_heap();
}

fn fill_blocks(allocate: Allocate, size: usize) {
    let (mut last, mut run) = (0, 0);
    for _ in 0..PATIENCE {
        // SAFETY: the interpreter runs on this thread; the block is only looked at by its address.
        let block = unsafe { allocate(size) } as usize;
        if block == 0 {
            return;
        }
        run = if block == last + size { run + size } else { 0 };
        if run >= FRESH {
            return;
        }
        last = block;
    }
}

/// The C library's holes, from large to small: whatever it gives that lies below the end of all that was given before.
fn fill_heap() {
    // SAFETY: blocks are only looked at by their addresses; the two that are let go were just given.
    unsafe {
        let end = libc::malloc(FRESH * 16);
        let mut size = FRESH * 16;
        while size >= STEP {
            for _ in 0..PATIENCE {
                let block = libc::malloc(size);
                if block.is_null() || block >= end {
                    libc::free(block);
                    break;
                }
            }
            size = if size > LARGEST { size / 2 } else { size - STEP };
        }
        libc::free(end);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// Holes that are given first, where what is new begins, how far apart that lies, and how often was asked.
    static MEMORY: Mutex<(Vec<usize>, usize, usize, usize)> = Mutex::new((Vec::new(), 0, 0, 0));

    unsafe extern "C" fn give(_: usize) -> *mut c_void {
        let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
        let (holes, new, apart, asked) = &mut *memory;
        *asked += 1;
        let block = holes.pop().unwrap_or_else(|| {
            *new += *apart;
            *new - *apart
        });
        block as *mut c_void
    }

    fn filled(holes: &[usize], new: usize, apart: usize) -> (usize, usize) {
        *MEMORY.lock().unwrap() = (holes.to_vec(), new, apart, 0);
        fill_blocks(give, 32);
        let memory = MEMORY.lock().unwrap();
        (memory.0.len(), memory.3)
    }

    #[test]
    fn holes_are_filled_until_what_is_new_begins_and_no_longer_than_patience_lasts() {
        // Two blocks side by side are not yet what is new.
        assert_eq!(filled(&[0x9000, 0x5020, 0x5000, 0x1000], 0x10000, 32), (0, 4 + FRESH / 32 + 1));
        assert_eq!(filled(&[], 0x10000, 64), (0, PATIENCE));
        assert_eq!(filled(&[], 0, 0), (0, 1), "no memory is left");
    }
}
