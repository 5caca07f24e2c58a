/* Contracts of elementwise kernels. See kernels.h for what all contracts have in common. */
#ifndef FASTMLP_KERNELS_ELEMENTWISE_H
#define FASTMLP_KERNELS_ELEMENTWISE_H

#include <stddef.h>
#include <stdint.h>

/* n ≥ 0 elements, any alignment; out may be x.
 *   activation            out = activation(x)
 *   activation_backward   out = y · activation'(z), where x = activation(z); x = z for an FM_INPUT_ACTIVATION
 *   multiply              out = x · y
 *   add                   out = x + y
 *   subtract              out = x − y
 *   maximum               out = max(x, y), NaN if one of them is
 *   minimum               out = min(x, y), NaN if one of them is
 *   scale                 out = alpha · x
 *   exp, log              out = exp(x), log(x), within 1.5 ULP
 *   erf                   out = erf(x), within 2 ULP */
typedef struct fm_elementwise {
    ptrdiff_t n;
    const float *x, *y;
    float *out;
    int activation;
    float alpha, threshold, max_value; /* the last two: general_relu; threshold: the shrinks and threshold as well */
} fm_elementwise;

/* out = grad·∂max(x, y)/∂x: grad where x > y, half of it where x = y, else +0. n ≥ 0 elements, any alignment; out may be grad. */
typedef struct fm_maximum_backward {
    ptrdiff_t n;
    const float *x, *y, *grad;
    float *out;
} fm_maximum_backward;

/* out[i] = x[i] as float32. */
typedef struct fm_from_uint8 {
    ptrdiff_t n;
    const uint8_t *x;
    float *out;
} fm_from_uint8;

#endif
