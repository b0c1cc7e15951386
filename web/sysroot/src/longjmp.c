/* What clang's lowering of setjmp and longjmp to WebAssembly exceptions (-wasm-enable-sjlj) calls. The parser
   reports every syntax error by a long jump; the names and what they get are those of LLVM's pass
   WebAssemblyLowerEmscriptenEHSjLj. */
#include <stdint.h>

/* What setjmp leaves in a jmp_buf. */
struct place {
    /* The call of the function that called setjmp: its stack frame's address. */
    void *invocation;
    /* Which setjmp of that function, from 1. */
    uint32_t label;
    /* What longjmp throws: it has to live until it is caught, and there is one jump at a time for a buffer. */
    struct {
        void *place;
        int value;
    } thrown;
};

/* The tag that the pass gives to long jumps; 0 is that of C++ exceptions. */
#define LONGJMP_TAG 1

void __wasm_setjmp(struct place *place, uint32_t label, void *invocation) {
    place->invocation = invocation;
    place->label = label;
}

uint32_t __wasm_setjmp_test(struct place *place, void *invocation) {
    return place->invocation == invocation ? place->label : 0;
}

_Noreturn void __wasm_longjmp(struct place *place, int value) {
    place->thrown.place = place;
    place->thrown.value = value == 0 ? 1 : value;
    __builtin_wasm_throw(LONGJMP_TAG, &place->thrown);
}
