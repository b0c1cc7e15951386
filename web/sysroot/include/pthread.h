/* One thread runs the parser in a WebAssembly module: keys for per-thread clean-up do nothing. */
#ifndef TSMIGRATE_PTHREAD_H
#define TSMIGRATE_PTHREAD_H

#include <sys/types.h>

static inline int pthread_key_create(pthread_key_t *key, void (*destructor)(void *)) {
    (void)destructor;
    *key = 0;
    return 0;
}
static inline int pthread_setspecific(pthread_key_t key, const void *value) {
    (void)key;
    (void)value;
    return 0;
}

#endif
