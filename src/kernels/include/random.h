/* Contracts of masks and noise, as functions of a counter. See kernels.h for what all contracts have in common. */
#ifndef FASTMLP_KERNELS_RANDOM_H
#define FASTMLP_KERNELS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* mask[r][c] = 0 or 1/(1 − rate), for the rows first_row … first_row + rows of a batch; see rng.h for the counter. Pad columns likewise. */
typedef struct fm_dropout {
    ptrdiff_t rows, cols, first_row;
    float *mask; /* [rows][mask_row], padded */
    ptrdiff_t mask_row;
    float rate;
    float keep_scale; /* 1/(1 − rate) */
    uint32_t key[2];  /* the seed, low and high */
    uint32_t step, node;
} fm_dropout;

/* out[r][c] = x[r][c], or mean where x is NULL, plus stddev times a normal deviate; the counter as in fm_dropout. Pad columns likewise. */
typedef struct fm_gaussian_noise {
    ptrdiff_t rows, cols, first_row;
    const float *x; /* padded */
    ptrdiff_t x_row;
    float *out; /* padded */
    ptrdiff_t out_row;
    float mean, stddev;
    uint32_t key[2];
    uint32_t step, node;
} fm_gaussian_noise;

/* out[i] = x[i]·mask[i] + (dropped where mask[i] is 0, kept elsewhere), fused; n is a multiple of 16. */
typedef struct fm_alpha_dropout {
    ptrdiff_t n;
    const float *x, *mask;
    float *out;
    float kept, dropped;
} fm_alpha_dropout;

#endif
