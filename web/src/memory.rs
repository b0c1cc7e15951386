//! One allocator for Rust and C: wasi-libc's. Each of the two libraries brings its own, and wasi-libc's takes all memory
//! from `__heap_base` to the end, whoever has grown it: two of them in one module write over each other.
#![allow(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; C's functions are declared here by hand"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void;
    fn realloc(old: *mut c_void, size: usize) -> *mut c_void;
    fn free(old: *mut c_void);
    fn __wasm_call_ctors();
    fn assign_max_stack_depth(kilobytes: c_int, extra: *mut c_void);
}

/// What C's `malloc` aligns to on wasm32 (`max_align_t`).
const ALIGNED: usize = 16;

/// wasi-libc's allocator.
struct C;

/// The block, if there is one. Otherwise Rust would end in a trap without words; this leaves the module as a trap does,
/// with words. It allocates nothing.
fn or_throw(block: *mut c_void) -> *mut u8 {
    if block.is_null() {
        wasm_bindgen::throw_str("out of memory");
    }
    block.cast()
}

// SAFETY: memory of at least that size and alignment that nobody else uses, as C promises.
unsafe impl GlobalAlloc for C {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: any size and any power of two may be asked for; the size of an aligned block is a multiple of it.
        or_throw(unsafe {
            if layout.align() <= ALIGNED {
                malloc(layout.size())
            } else {
                aligned_alloc(layout.align(), layout.size().next_multiple_of(layout.align()))
            }
        })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above; a block that `alloc` gives has that size.
        unsafe {
            if layout.align() <= ALIGNED {
                return or_throw(calloc(1, layout.size()));
            }
            let block = self.alloc(layout);
            block.write_bytes(0, layout.size());
            block
        }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: `old` came from one of the functions above, with this layout.
        unsafe {
            if layout.align() <= ALIGNED {
                return or_throw(realloc(old.cast(), size));
            }
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            new.copy_from_nonoverlapping(old, layout.size().min(size));
            self.dealloc(old, layout);
            new
        }
    }

    unsafe fn dealloc(&self, old: *mut u8, _: Layout) {
        // SAFETY: `old` came from C.
        unsafe { free(old.cast()) }
    }
}

#[global_allocator]
static ALLOCATOR: C = C;

/// The parser's limit on its own stack in KB (max_stack_depth). A browser's stack is about 1 MB and cannot be asked for,
/// and each level of a tree takes far more of it than of the parser's: trees of 31 to 38 KB use it up in Node 20, of 68
/// to 77 KB in Chromium. A deeper one is refused before that, where the program would take it.
const MAX_STACK_DEPTH: c_int = 20;

/// Runs what C wants to run first. That it is called by name also keeps the linker from wrapping every export in
/// calls of it and of the functions for a program's end (wasm-ld's "commands").
pub(crate) fn start() {
    // SAFETY: called once, before anything else of the module; the second function sets a number.
    unsafe {
        __wasm_call_ctors();
        assign_max_stack_depth(MAX_STACK_DEPTH, null_mut());
    }
}
