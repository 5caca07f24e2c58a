/* Contracts of batch norm, layer norm and PReLU. See kernels.h for what all contracts have in common. */
#ifndef FASTMLP_KERNELS_NORM_H
#define FASTMLP_KERNELS_NORM_H

#include <stddef.h>
#include <stdint.h>

/* Column by column, over the rows of a batch; x is [rows][x_row], cols a multiple of 16, rows ≥ 1.
 *   mean[c] = Σ_r x(r, c) / rows, variance[c] = Σ_r (x(r, c) − mean[c])² / rows; r ascending from +0, the squares fused
 */
typedef struct fm_column_moments {
    ptrdiff_t rows, cols;
    const float *x;
    ptrdiff_t x_row;
    float *mean, *variance; /* [cols] */
} fm_column_moments;

enum { FM_NORMALIZE_BATCH, FM_NORMALIZE_STANDARD, FM_NORMALIZE_INVERSE, FM_NORMALIZE_SCALE };

/* Batch norm and other column-wise normalizations: out(r, c) = (x(r, c) − centre[c])·scale[c] + offset[c], product and sum fused; cols
 * is a multiple of 16. By kind:
 *   batch      centre mean, scale gamma/√(variance + ε), offset beta; scale 0 if the root is 0
 *   standard   centre mean, scale 1/max(√variance, ε)
 *   inverse    scale max(√variance, ε), offset mean
 *   scale      scale gamma, offset beta
 * gamma NULL is 1 (not for `scale`), mean and beta NULL are 0, so that the kernel can also scale a gradient. out may be x. */
typedef struct fm_batch_norm {
    ptrdiff_t rows, cols;
    const float *x;
    ptrdiff_t x_row;
    const float *mean, *variance, *gamma, *beta; /* [cols] */
    float epsilon;
    int kind;
    float *out;
    ptrdiff_t out_row;
} fm_batch_norm;

/* Backward of batch norm with the moments of the batch. With x̂ = (x − mean)/√(variance + ε):
 *   dbeta[c] = Σ_r grad, dgamma[c] = Σ_r grad·x̂, out = gamma/√(variance + ε)·(grad − dbeta/rows − x̂·dgamma/rows); out may be NULL */
typedef struct fm_batch_norm_backward {
    ptrdiff_t rows, cols;
    const float *x;
    ptrdiff_t x_row;
    const float *grad;
    ptrdiff_t grad_row;
    const float *mean, *variance, *gamma; /* [cols]; gamma or NULL for 1 */
    float epsilon;
    float *out;
    ptrdiff_t out_row;
    float *dgamma, *dbeta; /* [cols] */
} fm_batch_norm_backward;

/* Layer norm: m = Σ_c x / cols, or 0 unless centered (RMS norm); s = 1/√(Σ_c (x − m)² / cols + ε), 0 if the root is 0; out = (x −
 * m)·s·gamma + beta, each operation rounded. Padded rows; pad columns of out become +0. mean[r] = m and scale[r] = s if not NULL. */
typedef struct fm_layer_norm {
    ptrdiff_t rows, cols;
    const float *x;
    ptrdiff_t x_row;
    const float *gamma, *beta; /* padded, or NULL for 1 and 0 */
    float epsilon;
    int centered;
    float *out;
    ptrdiff_t out_row;
    float *mean, *scale; /* [rows], or both NULL */
} fm_layer_norm;

/* Backward of layer norm. With h = grad·gamma and x̂ = (x − mean)·scale: out = scale·(h − Σ_c h / cols − x̂·Σ_c h·x̂ / cols), the second
 * term only if centered. */
typedef struct fm_layer_norm_backward {
    ptrdiff_t rows, cols;
    const float *x;
    ptrdiff_t x_row;
    const float *grad;
    ptrdiff_t grad_row;
    const float *gamma;
    const float *mean, *scale; /* [rows] */
    int centered;
    float *out;
    ptrdiff_t out_row;
} fm_layer_norm_backward;

/* Gradients of layer norm's parameters: dbeta[c] = Σ_r grad(r, c), dgamma[c] = Σ_r grad·(x − mean[r])·scale[r], r ascending from +0;
 * cols is a multiple of 16. */
typedef struct fm_layer_norm_parameter_gradients {
    ptrdiff_t rows, cols;
    const float *x;
    ptrdiff_t x_row;
    const float *grad;
    ptrdiff_t grad_row;
    const float *mean, *scale; /* [rows] */
    float *dgamma, *dbeta;     /* [cols] */
} fm_layer_norm_parameter_gradients;

/* prelu            out = x where x > 0, else alpha[c]·x
 * prelu_backward   out = grad·(1 where x > 0, alpha[c] where x < 0, else 0), may be NULL; dalpha[c] = Σ_r grad·min(x, 0), r ascending
 * from +0
 * cols is a multiple of 16. */
typedef struct fm_prelu {
    ptrdiff_t rows, cols;
    const float *x;
    ptrdiff_t x_row;
    const float *alpha; /* [cols] */
    const float *grad;
    ptrdiff_t grad_row;
    float *out;
    ptrdiff_t out_row;
    float *dalpha; /* [cols] */
} fm_prelu;

#endif
