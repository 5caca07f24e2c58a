/* Contract: what a core can do at most. kernels.h has what is common to all. */
#ifndef FASTMLP_KERNELS_PEAK_H
#define FASTMLP_KERNELS_PEAK_H

#include <stddef.h>
#include <stdint.h>

/* What a core can do at most, to measure the others by. Chains of x = x·factor + term, one fused multiply-add each, `iterations` ≥ 0 times,
 * chain number i starting at i, as many as keep the ISA busy. The last values stand in out, a vector of equal numbers for each chain, and
 * the multiply-adds done in *count, which is iterations × the numbers in out.
 */
#define FM_PEAK_MAX 512
typedef struct fm_peak {
    ptrdiff_t iterations;
    float factor, term;
    float *out; /* room for FM_PEAK_MAX */
    ptrdiff_t *count;
} fm_peak;

#endif
