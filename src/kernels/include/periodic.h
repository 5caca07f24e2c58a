/* Contracts of periodic embeddings. See kernels.h for what all contracts have in common. */
#ifndef FASTMLP_KERNELS_PERIODIC_H
#define FASTMLP_KERNELS_PERIODIC_H

#include <stddef.h>

/* periodic   with t = c[i][j]·x[r][i], exact before it is rounded once, and K = frequencies:
 *              out[r][i][j] = sin(2π·t), out[r][i][K + j] = cos(2π·t), as for t = 0 where |t| > 2²⁰
 *            within 2⁻²³ of the exact value, or 2⁻²¹ where |t| > 2¹⁶
 * periodic_backward   out holds periodic's output and grad dLoss/dout, v = 2π·(grad[r][i][j]·out[r][i][K + j] − grad[r][i][K + j]·out[r][i][j]):
 *              dc[i][j] = Σ_r x[r][i]·v, r ascending, one fused multiply-add per term
 *              dx[r][i] = Σ_j c[i][j]·v, unless dx is NULL
 * x and dx are rows × inputs, out and grad rows × inputs × 2K. c and dc are panels [inputs][16] of frequencies, `panel` floats apart,
 * with zeros beyond K. Pads of out and dx are left alone.
 */
typedef struct fm_periodic {
    ptrdiff_t rows, inputs, frequencies;
    const float *x;
    ptrdiff_t x_row;
    const float *c;
    ptrdiff_t panel;
    float *out; /* read by periodic_backward */
    ptrdiff_t out_row;
    const float *grad;
    ptrdiff_t grad_row;
    float *dc, *dx;
    ptrdiff_t dx_row;
} fm_periodic;

#endif
