/* Contract of the kernel that measures peak performance. See kernels.h for what all contracts have in common. */
#ifndef FASTMLP_KERNELS_PEAK_H
#define FASTMLP_KERNELS_PEAK_H

#include <stddef.h>
#include <stdint.h>

/* Measures the peak of a core. Chains of x = x·factor + term, one fused multiply-add each, `iterations` ≥ 0 times; chain i starts at i,
 * and there are as many as keep the ISA busy. out receives the last values, a vector of equal numbers for each chain, and *count the
 * number of multiply-adds, iterations × numbers in out. */
#define FM_PEAK_MAX 512
typedef struct fm_peak {
    ptrdiff_t iterations;
    float factor, term;
    float *out; /* room for FM_PEAK_MAX */
    ptrdiff_t *count;
} fm_peak;

#endif
