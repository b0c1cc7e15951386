//! One allocator for Rust and C. Each of the two libraries brings its own, and wasi-libc's takes all memory from
//! `__heap_base` to the end, whoever has grown it: two of them in one module write over each other.
//!
//! A parse tree is many small blocks that live for a statement. Rust says how large a block is when it frees it, so that
//! these need no more than a list of free blocks for each size: an eighth of the whole time less than with `malloc`.
#![allow(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; C's functions are declared here by hand"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32::memory_size;
use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::hint::black_box;
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

/// What C's `malloc` aligns to on wasm32 (`max_align_t`); the sizes of small blocks are multiples of it.
const ALIGNED: usize = 16;
/// The largest small block.
const SMALL: usize = 512;
/// Small blocks are cut from pieces of this size, which are kept for good.
const PIECE: usize = 64 << 10;
/// The module's memory is a whole number of these.
const PAGE: usize = 64 << 10;
/// wasi-libc asks for a page whenever it has none left, and to make the memory larger takes a browser most of a
/// millisecond, however little it is. So that it is not asked all the time, this share of the memory comes in advance.
const AHEAD: usize = 16;
/// More does not come in advance.
const MOST_AHEAD: usize = 4 << 20;

/// A free block: it holds the address of the next one of its size.
struct Free {
    next: *mut Free,
}

/// The small blocks.
struct Blocks {
    free: [*mut Free; SMALL / ALIGNED],
    /// What is left of the newest piece.
    rest: *mut u8,
    left: usize,
    /// The memory's pages when it was last seen to have grown.
    pages: usize,
}

/// wasi-libc's allocator with lists of small blocks before it.
struct C {
    blocks: UnsafeCell<Blocks>,
}

// SAFETY: the module has one thread.
unsafe impl Sync for C {}

/// The block, if there is one. Otherwise Rust would end in a trap without words; this leaves the module as a trap does,
/// with words. It allocates nothing.
fn sure(block: *mut u8) -> *mut u8 {
    if block.is_null() {
        wasm_bindgen::throw_str("out of memory");
    }
    block
}

/// Which list of small blocks a block belongs to: none where it is large, empty, or aligned to more than the lists are.
fn list(size: usize, align: usize) -> Option<usize> {
    (size > 0 && size <= SMALL && align <= ALIGNED).then(|| (size - 1) / ALIGNED)
}

impl Blocks {
    /// Where wasi-libc has just made the memory larger, makes it larger still.
    fn grow(&mut self) {
        let pages = memory_size::<0>();
        if pages == self.pages {
            return;
        }
        // What is freed at the end of its memory stays there for the next blocks. Nothing is lost where there is none. The
        // compiler would leave out a block that nobody looks at.
        // SAFETY: the block is freed as it came.
        unsafe { free(black_box(malloc((pages * PAGE / AHEAD).min(MOST_AHEAD)))) };
        self.pages = memory_size::<0>();
    }
}

impl C {
    /// A large block has come from C.
    fn came(&self, block: *mut c_void) -> *mut u8 {
        // SAFETY: nothing else has a reference: one thread, and nothing in here allocates through Rust.
        unsafe { (*self.blocks.get()).grow() };
        sure(block.cast())
    }

    /// A block of the list, or null where memory is used up.
    unsafe fn take(&self, list: usize) -> *mut u8 {
        // SAFETY: nothing else has a reference: one thread, and nothing in here allocates through Rust. A list holds
        // blocks of its size that nobody uses, and `rest` is the start of `left` bytes that nobody uses.
        unsafe {
            let blocks = &mut *self.blocks.get();
            let Some(first) = blocks.free.get_mut(list) else { return null_mut() };
            if !first.is_null() {
                let block = *first;
                *first = (*block).next;
                return block.cast();
            }
            let size = (list + 1) * ALIGNED;
            if blocks.left < size {
                // What is left of the old piece stays unused: less than one block in a hundred.
                blocks.rest = malloc(PIECE).cast();
                blocks.grow();
                blocks.left = if blocks.rest.is_null() { 0 } else { PIECE };
                if blocks.left == 0 {
                    return null_mut();
                }
            }
            let block = blocks.rest;
            blocks.rest = block.add(size);
            blocks.left -= size;
            block
        }
    }

    /// Takes a block of the list back.
    #[allow(clippy::cast_ptr_alignment, reason = "small blocks are aligned to 16 bytes")]
    unsafe fn give(&self, list: usize, block: *mut u8) {
        // SAFETY: as above; the block is at least as large as an address and aligned for one.
        unsafe {
            let blocks = &mut *self.blocks.get();
            if let Some(first) = blocks.free.get_mut(list) {
                let block = block.cast::<Free>();
                (*block).next = *first;
                *first = block;
            }
        }
    }
}

// SAFETY: memory of at least that size and alignment that nobody else uses.
unsafe impl GlobalAlloc for C {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: any size and any power of two may be asked for; the size of an aligned block is a multiple of it.
        unsafe {
            if let Some(list) = list(layout.size(), layout.align()) {
                sure(self.take(list))
            } else if layout.align() <= ALIGNED {
                self.came(malloc(layout.size()))
            } else {
                self.came(aligned_alloc(layout.align(), layout.size().next_multiple_of(layout.align())))
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            if layout.size() > SMALL && layout.align() <= ALIGNED {
                return self.came(calloc(1, layout.size()));
            }
            let block = self.alloc(layout);
            block.write_bytes(0, layout.size());
            block
        }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (from, to) = (list(layout.size(), layout.align()), list(size, layout.align()));
        // SAFETY: `old` came from one of the functions above, with this layout, and so from the list of its size or
        // from C.
        unsafe {
            if from.is_some() && from == to {
                return old;
            }
            if from.is_none() && to.is_none() && layout.align() <= ALIGNED {
                return self.came(realloc(old.cast(), size));
            }
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            new.copy_from_nonoverlapping(old, layout.size().min(size));
            self.dealloc(old, layout);
            new
        }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe {
            match list(layout.size(), layout.align()) {
                Some(list) => self.give(list, old),
                None => free(old.cast()),
            }
        }
    }
}

#[global_allocator]
static ALLOCATOR: C = C {
    blocks: UnsafeCell::new(Blocks {
        free: [null_mut(); SMALL / ALIGNED],
        rest: null_mut(),
        left: 0,
        pages: 0,
    }),
};

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
