//! One allocator for Rust and C. Each of the two libraries brings its own, and wasi-libc's takes all memory from
//! `__heap_base` to the end, whoever has grown it: two of them in one module write over each other.
#![allow(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; C's functions are declared here by hand"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;

unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void;
    fn realloc(old: *mut c_void, size: usize) -> *mut c_void;
    fn free(old: *mut c_void);
    fn __wasm_call_ctors();
}

/// What C's `malloc` aligns to on wasm32 (`max_align_t`).
const ALIGNED: usize = 16;

/// wasi-libc's allocator.
struct C;

// SAFETY: C's functions keep the same promises: memory of at least that size and alignment, or null.
unsafe impl GlobalAlloc for C {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: any size and any power of two may be asked for; the size of an aligned block is a multiple of it.
        unsafe {
            if layout.align() <= ALIGNED {
                malloc(layout.size()).cast()
            } else {
                aligned_alloc(layout.align(), layout.size().next_multiple_of(layout.align())).cast()
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            if layout.align() <= ALIGNED {
                calloc(1, layout.size()).cast()
            } else {
                let block = self.alloc(layout);
                if !block.is_null() {
                    block.write_bytes(0, layout.size());
                }
                block
            }
        }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: `old` came from one of the functions above, with this layout.
        unsafe {
            if layout.align() <= ALIGNED {
                return realloc(old.cast(), size).cast();
            }
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                new.copy_from_nonoverlapping(old, layout.size().min(size));
                free(old.cast());
            }
            new
        }
    }

    unsafe fn dealloc(&self, old: *mut u8, _: Layout) {
        // SAFETY: `old` came from one of the functions above.
        unsafe { free(old.cast()) }
    }
}

#[global_allocator]
static ALLOCATOR: C = C;

/// Runs what C wants to run first. That it is called by name also keeps the linker from wrapping every export in
/// calls of it and of the functions for a program's end (wasm-ld's "commands").
pub(crate) fn start() {
    // SAFETY: called once, before anything else of the module.
    unsafe { __wasm_call_ctors() }
}
