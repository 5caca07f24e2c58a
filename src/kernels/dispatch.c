/* The tables compiled in, the names of the manifest, and whether this processor can run a table. No ISA flags: it must run everywhere. */
#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#if defined(__x86_64__)
/* XGETBV without the intrinsic, which would need an ISA flag: which register states the operating system saves. */
static uint64_t saved_states(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32) | low;
}

static int has_avx2_and_fma(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA))
        return 0;
    if ((saved_states() & 0x6) != 0x6) /* SSE and AVX registers */
        return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}
#endif

extern const fm_kernels fm_kernels_portable;
#if defined(FASTMLP_HAVE_AVX2)
extern const fm_kernels fm_kernels_avx2;
#endif

static const fm_kernels *const TABLES[] = {
    &fm_kernels_portable,
#if defined(FASTMLP_HAVE_AVX2)
    &fm_kernels_avx2,
#endif
};

const fm_kernels *fm_kernels_at(int index) {
    return index >= 0 && (size_t)index < sizeof TABLES / sizeof *TABLES ? TABLES[index] : NULL;
}

int fm_kernels_supported(const fm_kernels *kernels) {
#if defined(FASTMLP_HAVE_AVX2)
    if (kernels == &fm_kernels_avx2)
        return has_avx2_and_fma();
#endif
    return kernels == &fm_kernels_portable;
}

fm_kernel_entry fm_kernel_entry_at(const fm_kernels *kernels, int index) {
    const fm_kernel_entry entries[] = {
#define FM_LOSS(name) {"loss_" #name, (void (*)(void))kernels->loss_##name},
#define FM_OPTIMIZER(name, slots) {"update_" #name, (void (*)(void))kernels->update_##name},
#define FM_KERNEL(name, arguments) {#name, (void (*)(void))kernels->name},
#include "isa.inc"
        {NULL, NULL},
    };
    const int count = (int)(sizeof entries / sizeof *entries) - 1;
    return entries[index >= 0 && index < count ? index : count];
}

const char *fm_activation_name(int index) {
    static const char *const names[] = {
#define FM_ACTIVATION(name) #name,
#include "isa.inc"
    };
    return index >= 0 && index < FM_ACTIVATION_COUNT ? names[index] : NULL;
}

const char *fm_loss_name(int index) {
    static const char *const names[] = {
#define FM_LOSS(name) #name,
#include "isa.inc"
    };
    return index >= 0 && index < FM_LOSS_COUNT ? names[index] : NULL;
}

const char *fm_optimizer_name(int index) {
    static const char *const names[] = {
#define FM_OPTIMIZER(name, slots) #name,
#include "isa.inc"
    };
    return index >= 0 && index < FM_OPTIMIZER_COUNT ? names[index] : NULL;
}
