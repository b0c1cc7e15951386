/* The system calls below wasi-libc, so that the module imports none. A parser needs no file and no clock: each call
   says that there is no such thing, and what libc makes of that is an ordinary error. */
#include <stdint.h>

/* WASI's errno for "function not supported" (ENOSYS). */
#define NOT_SUPPORTED 52

int32_t __imported_wasi_snapshot_preview1_fd_close(int32_t file) {
    (void)file;
    return NOT_SUPPORTED;
}

int32_t __imported_wasi_snapshot_preview1_fd_fdstat_get(int32_t file, int32_t stat) {
    (void)file;
    (void)stat;
    return NOT_SUPPORTED;
}

int32_t __imported_wasi_snapshot_preview1_fd_read(int32_t file, int32_t parts, int32_t count, int32_t read) {
    (void)file;
    (void)parts;
    (void)count;
    (void)read;
    return NOT_SUPPORTED;
}

int32_t __imported_wasi_snapshot_preview1_fd_seek(int32_t file, int64_t offset, int32_t whence, int32_t at) {
    (void)file;
    (void)offset;
    (void)whence;
    (void)at;
    return NOT_SUPPORTED;
}

int32_t __imported_wasi_snapshot_preview1_fd_write(int32_t file, int32_t parts, int32_t count, int32_t written) {
    (void)file;
    (void)parts;
    (void)count;
    (void)written;
    return NOT_SUPPORTED;
}

/* abort() and exit(): the page starts a fresh module after a trap. */
_Noreturn void __imported_wasi_snapshot_preview1_proc_exit(int32_t status) {
    (void)status;
    __builtin_trap();
}

/* Part of a log line's prefix that is never written. */
int getpid(void) { return 1; }
