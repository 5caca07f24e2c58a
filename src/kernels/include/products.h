/* Contracts of matrix products, dense and sparse, and of packing and transposing their operands. See kernels.h for what all contracts
 * have in common. */
#ifndef FASTMLP_KERNELS_PRODUCTS_H
#define FASTMLP_KERNELS_PRODUCTS_H

#include <stddef.h>
#include <stdint.h>

/* GEMM: c[i][j] = Σ_p a(i, p)·b(p, j), rows × 16·panels elements, p < depth.
 *
 * b is the vector operand: the 16 values of term p and panel j are at b + j·b_panel + p·b_step.
 * a is the broadcast operand, one scalar per term:
 *   gemm_forward   a(i, p) = a[i·a_row + p]                                    activations × weight panels (b_step 16)
 *   gemm_dw        a(i, p) = a[i + p·a_step]                                   inputsᵀ × output gradients
 *                  a_step 0: a was packed by `pack` with these rows and this depth
 *   gemm_dx        a(i, p) = a[(p / 16)·a_step + i·16 + p % 16]                weight panels × output gradientsᵀ
 * c[i][j] is at c + j·c_panel + i·c_row, and gemm_forward has the epilogue activation(sum + bias). rows, depth, panels ≥ 1. A sum whose
 * terms all vanish is +0, never −0, so that skipping zeros changes no bit.
 */
typedef struct fm_gemm {
    ptrdiff_t rows, depth, panels;
    const float *a;
    ptrdiff_t a_row, a_step;
    const float *b;
    ptrdiff_t b_step, b_panel;
    float *c;
    ptrdiff_t c_row, c_panel;
    int streams; /* gemm_forward only: a comes from memory and is in no cache, so rows are prefetched */
    const float *updated; /* gemm_dw only: weights laid out like c, which the caller will update next, to be prefetched; or NULL */
    ptrdiff_t updated_panel;
    int accumulate;         /* start from the values in c instead of 0 */
    int epilogue;        /* gemm_forward only: add the bias and apply the activation, after the last block of depth */
    const float *bias; /* [16·panels], or NULL */
    int activation;    /* FM_ACTIVATION_* */
    float alpha, threshold, max_value;
    float *derivative; /* laid out like c, to get the activation's derivative where that needs the activation's input; or NULL */
} fm_gemm;

/* The product of gemm_dx for a few samples, vectorized over columns of the input, for which blocks of the weights are transposed in registers:
 * c[i][j] = Σ_p grad(i, p)·w(j, p), p ascending from +0, for i < rows, j < cols and p < depth rounded up to 16; rows, cols, depth ≥ 1.
 *
 * grad(i, p) is at grad + (p / 16)·grad_panel + i·16 + p % 16, w(j, p) at w + (p / 16)·w_panel + j·16 + p % 16, c[i][j] at c + i·c_row + j.
 * Both have +0 in the pads of the last panel. Columns of c from cols to the next multiple of 16 become +0. */
typedef struct fm_gemm_dx_few {
    ptrdiff_t rows, depth, cols;
    const float *grad;
    ptrdiff_t grad_panel;
    const float *w;
    ptrdiff_t w_panel;
    float *c;
    ptrdiff_t c_row;
} fm_gemm_dx_few;

/* Packs the broadcast operand of gemm_dw, in(i, p) = in[i + p·in_step], to out[rows·depth] in the order in which its micro-kernels read
 * it. */
typedef struct fm_pack {
    ptrdiff_t rows, depth;
    const float *in;
    ptrdiff_t in_step;
    float *out;
} fm_pack;

/* Compresses x[0 … n): the non-zeros and their positions, in order; *count of them. index and value have room for n. */
typedef struct fm_compress {
    ptrdiff_t n;
    const float *x;
    int32_t *index;
    float *value;
    ptrdiff_t *count;
} fm_compress;

/* spmm: c[i][j] = Σ_e value[e]·b(index[e], j) over the entries e of row i, begin[i] ≤ e < end[i].
 *
 * b(p, j) and c as in fm_gemm, and the same bits as its kernels for the dense matrix, provided that the indices of a row ascend and b is
 * finite: fma(0, b, sum) is sum. With `epilogue`, c = activation(sum + bias).
 */
typedef struct fm_spmm {
    ptrdiff_t rows, panels;
    const ptrdiff_t *begin, *end; /* [rows] */
    const int32_t *index;
    const float *value;
    const float *b;
    ptrdiff_t b_step, b_panel;
    float *c;
    ptrdiff_t c_row, c_panel;
    int epilogue;
    const float *bias; /* [16·panels], or NULL */
    int activation;
    float alpha, threshold, max_value;
    float *derivative; /* as in fm_gemm */
} fm_spmm;

/* The activation of an fm_transpose whose values are derivatives, computed in the epilogue of a product. */
#define FM_SAVED_DERIVATIVE (-1)

/* Transposes, with the epilogue of dX: times the activation's derivative.
 *
 * in is [cols][in_row], feature-major: in[c·in_row + r]; rows and cols ≥ 1. With values: g = in[c][r]·derivative(values[r][c]), else g =
 * in[c][r]. out(r, c) = g is at out + (c / 16)·out_panel + r·out_row + c % 16, and out_t[c][r] = g if out_t is not NULL. Columns of out
 * from cols to the next multiple of 16 become +0.
 * Reads groups of 16 rows of in and of values, and writes 16 rows of out: all have memory for rows rounded up to 16.
 */
typedef struct fm_transpose {
    ptrdiff_t rows, cols;
    const float *in;
    ptrdiff_t in_row;
    const float *values; /* [rows][values_row], padded; or NULL */
    ptrdiff_t values_row;
    float *out; /* padded; out_panel 16 for whole rows of out_row, out_row 16 for panels */
    ptrdiff_t out_row, out_panel;
    float *out_t; /* [cols][out_t_row], or NULL */
    ptrdiff_t out_t_row;
    int activation;
    float alpha;
} fm_transpose;

/* out[c] = Σ_r in(r, c), r ascending from +0, one addition per row; in(r, c) is at in + (c / 16)·in_panel + r·in_row + c % 16, and cols
 * is a multiple of 16. */
typedef struct fm_column_sums {
    ptrdiff_t rows, cols;
    const float *in;
    ptrdiff_t in_row, in_panel;
    float *out;
} fm_column_sums;

#endif
