/* Constants that PostgreSQL's headers use and wasi-libc lacks. Nothing that the parser runs reads them. */
#ifndef TSMIGRATE_WASM_COMPAT_H
#define TSMIGRATE_WASM_COMPAT_H

#define NI_MAXHOST 1025
#define NI_MAXSERV 32
#define EHOSTDOWN 112
#define PLATFORM_DEFAULT_WAL_SYNC_METHOD WAL_SYNC_METHOD_FDATASYNC

#endif
