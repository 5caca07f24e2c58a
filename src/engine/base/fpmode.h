/* Flushes denormals to zero inside a call, because arithmetic on them is many times slower. The caller's mode is restored on return, and
 * while a user-defined function runs. */
#ifndef FASTMLP_FPMODE_H
#define FASTMLP_FPMODE_H

#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>

typedef unsigned fm_fpmode;
static inline fm_fpmode fm_fpmode_now(void) { return _mm_getcsr(); }
static inline fm_fpmode fm_fpmode_enter(void) {
    const fm_fpmode before = _mm_getcsr();
    _mm_setcsr(0x9FC0); /* round to nearest, flush results and inputs, no exception traps */
    return before;
}
static inline void fm_fpmode_leave(fm_fpmode before) { _mm_setcsr(before); }

#elif defined(__aarch64__)

typedef uint64_t fm_fpmode;
static inline fm_fpmode fm_fpmode_now(void) {
    fm_fpmode now;
    __asm__ volatile("mrs %0, fpcr" : "=r"(now));
    return now;
}
static inline fm_fpmode fm_fpmode_enter(void) {
    const fm_fpmode before = fm_fpmode_now();
    const fm_fpmode flush = UINT64_C(1) << 24; /* FZ; round to nearest, no traps */
    __asm__ volatile("msr fpcr, %0" : : "r"(flush));
    return before;
}
static inline void fm_fpmode_leave(fm_fpmode before) { __asm__ volatile("msr fpcr, %0" : : "r"(before)); }

#else

typedef int fm_fpmode;
static inline fm_fpmode fm_fpmode_now(void) { return 0; }
static inline fm_fpmode fm_fpmode_enter(void) { return 0; }
static inline void fm_fpmode_leave(fm_fpmode before) { (void)before; }

#endif
#endif
