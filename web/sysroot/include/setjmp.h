#ifndef TSMIGRATE_SETJMP_H
#define TSMIGRATE_SETJMP_H

/* wasi-libc has no setjmp. clang lowers these calls to WebAssembly exceptions (-wasm-enable-sjlj);
   the buffer's layout is what its generated code and the three functions of the runtime agree on. */
struct __jmp_buf_tag {
    void *__buf[8];
};
typedef struct __jmp_buf_tag jmp_buf[1];
typedef jmp_buf sigjmp_buf;

int setjmp(jmp_buf) __attribute__((returns_twice));
_Noreturn void longjmp(jmp_buf, int);

#define sigsetjmp(buffer, savesigs) setjmp(buffer)
#define siglongjmp(buffer, value) longjmp(buffer, value)

#endif
