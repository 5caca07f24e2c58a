/* Contracts of activations across a row. See kernels.h for what all contracts have in common. */
#ifndef FASTMLP_KERNELS_ROWWISE_H
#define FASTMLP_KERNELS_ROWWISE_H

#include <stddef.h>
#include <stdint.h>

/* softmax            out[r][c] = exp(x[r][c] − max_r) / Σ_c exp(x[r][c] − max_r)
 * softmax_backward   x holds softmax's output s and grad dLoss/ds: out[r][c] = s·(grad − Σ_c s·grad)
 * log_softmax            out[r][c] = (x[r][c] − max_r) − log Σ_c exp(x[r][c] − max_r)
 * log_softmax_backward   x holds log_softmax's output a and grad dLoss/da: out[r][c] = grad − exp(a)·Σ_c grad
 * sparsemax            out[r][c] = max(x[r][c] − τ_r, 0), τ_r such that Σ_c out[r][c] = 1; taken from x − max_r
 * sparsemax_backward   x holds sparsemax's output a and grad dLoss/da: out[r][c] = grad − the mean of grad where a > 0, and 0 elsewhere
 * Padded rows, one stride for all; pad columns of out become +0. out may be x or grad.
 */
typedef struct fm_softmax {
    ptrdiff_t rows, cols, stride;
    const float *x, *grad;
    float *out;
} fm_softmax;

/* glu            out[r][c] = x[r][c]·sigmoid(x[r][cols + c]), pad columns +0
 * glu_backward   grad is dLoss/dout: out[r][c] = grad·s and out[r][cols + c] = grad·x[r][c]·s·(1 − s) with s = sigmoid(x[r][cols + c]); pad
 *                columns are left alone
 * x, and out of glu_backward, have 2·cols columns, the others cols; all rows are padded.
 */
typedef struct fm_glu {
    ptrdiff_t rows, cols;
    const float *x;
    ptrdiff_t x_row;
    const float *grad;
    ptrdiff_t grad_row;
    float *out;
    ptrdiff_t out_row;
} fm_glu;

#endif
