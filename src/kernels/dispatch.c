/* The kernel tables of this build, the names of the manifest, and which tables this processor supports. Compiled without ISA flags,
 * because it must run on every processor. */
#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static int runs_portable(void) { return 1; }

#if defined(__x86_64__)
/* Which register states the operating system saves. Inline, because the intrinsic would need an ISA flag. */
static uint64_t saved_states(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32) | low;
}

/* True if the processor has these bits of EBX in leaf 7, and FMA, and the system saves these register states. */
static int has_features(unsigned leaf_7, uint64_t states) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA) || (saved_states() & states) != states)
        return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & leaf_7) == leaf_7;
}

static int runs_avx2(void) { return has_features(bit_AVX2, 0x6 /* SSE and AVX registers */); }

static int runs_avx512(void) {
    return runs_avx2() && has_features(bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL, 0xE6 /* and masks and ZMM */);
}
#elif defined(__aarch64__)
static int runs_neon(void) { return 1; } /* part of the architecture */
#endif

#define FM_ISA(name) extern const fm_kernels fm_kernels_##name;
#include "kernels.def"

static const struct {
    const fm_kernels *kernels;
    int (*runs)(void);
} TABLES[] = {
#define FM_ISA(name) {&fm_kernels_##name, runs_##name},
#include "kernels.def"
};

const fm_kernels *fm_kernels_at(int index) {
    return index >= 0 && (size_t)index < sizeof TABLES / sizeof *TABLES ? TABLES[index].kernels : NULL;
}

int fm_kernels_supported(const fm_kernels *kernels) {
    for (size_t i = 0; i < sizeof TABLES / sizeof *TABLES; i++)
        if (TABLES[i].kernels == kernels)
            return TABLES[i].runs();
    return 0;
}

fm_kernel_entry fm_kernel_entry_at(const fm_kernels *kernels, int index) {
    const fm_kernel_entry entries[] = {
#define FM_LOSS(name) {"loss_" #name, (void (*)(void))kernels->loss_##name},
#define FM_OPTIMIZER(name, ...) {"update_" #name, (void (*)(void))kernels->update_##name},
#define FM_REPLAY(name, slots) {"replay_" #name, (void (*)(void))kernels->replay_##name},
#define FM_KERNEL(name, arguments) {#name, (void (*)(void))kernels->name},
#include "kernels.def"
        {NULL, NULL},
    };
    const int count = (int)(sizeof entries / sizeof *entries) - 1;
    return entries[index >= 0 && index < count ? index : count];
}

const char *fm_activation_name(int index) {
    static const char *const names[] = {
#define FM_ACTIVATION(name) #name,
#include "kernels.def"
#define FM_INPUT_ACTIVATION(name) #name,
#include "kernels.def"
    };
    return index >= 0 && index < FM_ACTIVATION_COUNT ? names[index] : NULL;
}

const char *fm_loss_name(int index) {
    static const char *const names[] = {
#define FM_LOSS(name) #name,
#include "kernels.def"
    };
    return index >= 0 && index < FM_LOSS_COUNT ? names[index] : NULL;
}

const char *fm_optimizer_name(int index) {
    static const char *const names[] = {
#define FM_OPTIMIZER(name, ...) #name,
#define FM_LAYERWISE_OPTIMIZER(name, ...) #name,
#include "kernels.def"
    };
    return index >= 0 && index < FM_OPTIMIZER_COUNT ? names[index] : NULL;
}

const char *fm_hyperparameter_name(int index) {
    static const char *const names[] = {
#define FM_HYPERPARAMETER(name) #name,
#include "kernels.def"
    };
    return index >= 0 && index < FM_HYPERPARAMETER_COUNT ? names[index] : NULL;
}

const char *fm_optimizer_slot_name(int optimizer, int slot) {
    static const char *const names[][FM_RULE_SLOTS] = {
#define FM_OPTIMIZER(name, ...) {__VA_ARGS__},
#define FM_LAYERWISE_OPTIMIZER(name, ...) {__VA_ARGS__},
#include "kernels.def"
    };
    return names[optimizer][slot];
}
