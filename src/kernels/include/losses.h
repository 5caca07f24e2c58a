/* Contracts of losses, accuracies and activity penalties. See kernels.h for what all contracts have in common. */
#ifndef FASTMLP_KERNELS_LOSSES_H
#define FASTMLP_KERNELS_LOSSES_H

#include <stddef.h>
#include <stdint.h>

/* One loss or accuracy over a block of rows; targets are y, or labels for the sparse ones. docs/losses.md has the formulas.
 *
 *   loss[r]      = weight[r]·value_r, weight 1 where NULL
 *   grad[r][c]   = weight[r]·scale·∂value_r/∂x[r][c]; pad columns become +0; NULL: not wanted (accuracies have none)
 *   probs[r][c]  = softmax or sigmoid of logits, pad +0; only the _from_logits kernels; NULL: not wanted
 *   hit[r]       = the matching accuracy of the row, unweighted, threshold 0.5: cross-entropies only; NULL: not wanted
 * grad may be x. Probabilities given by the caller are clipped to [1e-7, 1 − 1e-7] (categorical ones after division by their sum), the
 * gradient is zero where they were clipped. Parameters:
 *   huber               δ, where the square turns into a line
 *   quantile            which one, 0 … 1
 *   gaussian_nll        the least variance, a constant added; x holds means and then variances, y as many columns as there are means
 *   cosine_similarity   −1 for the loss, 1 for the metric
 *   binary_focal_…      γ, the weight of ones, the weight of zeros
 *   categorical_focal_… γ, a weight
 *   sparse_categorical_generalized_cross_entropy   q, 0 < q < 1
 *   dice, tversky       the weights of what x misses and of what it has too much (tversky alone), then 1 for a value of each row; with 0
 *                       all rows have the value of the whole batch, whose gradient is scale·Σ weight times its own
 *   sparse_circle       γ, the margin, 1 where a row is not compared with itself. The rows are all of the batch, their labels any numbers.
 *                       value_r is that of row r times rows / those with a value above 0, and grad the derivative of
 *                       scale·Σ weight[r]·value_r, that factor being constant; grad is not x, and there is room
 */
#define FM_LOSS_PARAMETERS 3
typedef struct fm_loss {
    ptrdiff_t rows, cols;
    const float *x; /* [rows][x_row], padded */
    ptrdiff_t x_row;
    const float *y; /* [rows][y_row], padded */
    ptrdiff_t y_row;
    const int32_t *labels; /* [rows], 0 ≤ label < cols */
    const float *weight;   /* [rows] */
    float scale;
    float threshold; /* binary_accuracy */
    float parameter[FM_LOSS_PARAMETERS];
    float *loss;     /* [rows] */
    float *grad;     /* [rows][grad_row], padded */
    ptrdiff_t grad_row;
    float *probs; /* [rows][probs_row], padded */
    ptrdiff_t probs_row;
    float *hit; /* [rows] */
    float *room; /* sparse_circle: [3][rows, padded] for its own use */
} fm_loss;

/* Smoothed targets: out[r][c] = y[r][c]·keep + share, with y one-hot where labels are given; pad columns become +0. out may be y. */
typedef struct fm_smooth {
    ptrdiff_t rows, cols;
    const float *y; /* [rows][y_row], padded; or NULL and */
    ptrdiff_t y_row;
    const int32_t *labels; /* [rows], 0 ≤ label < cols */
    float keep, share;
    float *out; /* [rows][out_row], padded */
    ptrdiff_t out_row;
} fm_smooth;

/* Activity penalties. activity: loss[r] += l1·Σ|x| + l2·Σx²; activity_backward: out = grad + l1·sign(x) + l2·x, and grad in pad columns.
 * out may be grad. */
typedef struct fm_activity {
    ptrdiff_t rows, cols;
    const float *x; /* [rows][row], padded */
    ptrdiff_t row;
    float l1, l2;
    float *loss; /* [rows] */
    const float *grad; /* [rows][row], padded, as is */
    float *out;
} fm_activity;

#endif
