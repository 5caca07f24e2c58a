/* Kernels: the contract of each, and the table that holds one ISA's set.
 *
 * A kernel knows no network, no thread and no malloc: it takes one const struct of pointers and sizes and returns nothing. It reads and
 * writes only what its struct names, so a caller may give disjoint parts of the output to different threads.
 *
 * Numbers. Every ISA gives the same bits:
 *   - an output element of a GEMM is Σ_p a_p·b_p over p ascending, one fused multiply-add a term, starting at +0 (or at the value already
 *     in c when `carry` is set, so a sum may be cut into blocks of p without changing a bit);
 *   - every other sum over columns uses 16 lanes, lane l taking the columns l, l+16, l+32, … in order, and then the fixed tree
 *     8+8, 4+4, 2+2, 1+1 (lane l of the low half plus lane l of the high half);
 *   - division and square root are the correctly rounded ones, no estimates, no contraction.
 *
 * Rows. "Padded" rows have room for the columns rounded up to a multiple of 16; the pad may be read, and holds finite numbers.
 */
#ifndef FASTMLP_KERNELS_H
#define FASTMLP_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Columns of a weight panel, and the lanes of every fixed-order sum. A kernel matrix [K][N] lives as panels [ceil(N/16)][K][16]. */
#define FM_PANEL 16
#define FM_ROUND_UP(n) (((n) + (FM_PANEL - 1)) / FM_PANEL * FM_PANEL)

/* Those whose derivative follows from their output come first: only they end a product. */
enum {
#define FM_ACTIVATION(name) FM_ACTIVATION_##name,
#include "isa.inc"
    FM_OUTPUT_ACTIVATION_COUNT,
    FM_LAST_OUTPUT_ACTIVATION = FM_OUTPUT_ACTIVATION_COUNT - 1,
#define FM_INPUT_ACTIVATION(name) FM_ACTIVATION_##name,
#include "isa.inc"
    FM_ACTIVATION_COUNT
};

enum {
#define FM_LOSS(name) FM_LOSS_##name,
#include "isa.inc"
    FM_LOSS_COUNT
};

enum {
#define FM_OPTIMIZER(name, slots) FM_OPTIMIZER_##name,
#include "isa.inc"
    FM_OPTIMIZER_COUNT
};

/* c[i][j] = Σ_p a(i, p)·b(p, j), rows × 16·panels elements, p < depth.
 *
 * b is the vector operand: the 16 values of term p and panel j stand at b + j·b_panel + p·b_step.
 * a is the broadcast operand, one scalar a term:
 *   gemm_forward   a(i, p) = a[i·a_row + p]                                    activations × weight panels (b_step 16)
 *   gemm_dw        a(i, p) = a[i + p·a_step]                                   inputsᵀ × output gradients
 *                  with a_step 0, a is what `pack` made of these rows and this depth
 *   gemm_dx        a(i, p) = a[(p / 16)·a_step + i·16 + p % 16]                weight panels × output gradientsᵀ
 * c[i][j] stands at c + j·c_panel + i·c_row, and gemm_forward ends with activation(sum + bias). rows, depth, panels ≥ 1. A sum of terms
 * that all vanish is +0, never −0, so that leaving zeros out changes no bit.
 */
typedef struct fm_gemm {
    ptrdiff_t rows, depth, panels;
    const float *a;
    ptrdiff_t a_row, a_step;
    const float *b;
    ptrdiff_t b_step, b_panel;
    float *c;
    ptrdiff_t c_row, c_panel;
    int carry;         /* start from the values in c */
    int finish;        /* gemm_forward only: add the bias and apply the activation */
    const float *bias; /* [16·panels], or NULL */
    int activation;    /* FM_ACTIVATION_*, one that its output derives; so wherever there is no word of the input */
    float alpha;
} fm_gemm;

/* Copies the broadcast operand of gemm_dw, in(i, p) = in[i + p·in_step], to out[rows·depth] in the order its tiles of rows read it. */
typedef struct fm_pack {
    ptrdiff_t rows, depth;
    const float *in;
    ptrdiff_t in_step;
    float *out;
} fm_pack;

/* The numbers of x[0 … n) that are not zero and where they stand, in order; *count of them. index and value have room for n. */
typedef struct fm_compress {
    ptrdiff_t n;
    const float *x;
    int32_t *index;
    float *value;
    ptrdiff_t *count;
} fm_compress;

/* c[i][j] = Σ_e value[e]·b(index[e], j) over the entries e of list i, begin[i] ≤ e < end[i]: a product that visits only what is not zero.
 *
 * b(p, j) and c as in fm_gemm, and the same bits as its kernels give for a matrix with these entries and zeros elsewhere, as long as the
 * indices of a list ascend and b is finite: fma(0, b, sum) is sum. With finish, c = activation(sum + bias).
 */
typedef struct fm_sparse {
    ptrdiff_t rows, panels;
    const ptrdiff_t *begin, *end; /* [rows] */
    const int32_t *index;
    const float *value;
    const float *b;
    ptrdiff_t b_step, b_panel;
    float *c;
    ptrdiff_t c_row, c_panel;
    int finish;
    const float *bias; /* [16·panels], or NULL */
    int activation;
    float alpha;
} fm_sparse;

/* Transposes, and on the way back through a layer applies the activation's derivative.
 *
 * in is [cols][in_row], feature-major: in[c·in_row + r]; rows and cols ≥ 1. With values: g = in[c][r]·derivative(values[r][c]), else
 * g = in[c][r]. out(r, c) = g, which stands at out + (c / 16)·out_panel + r·out_row + c % 16, and when out_t is given out_t[c][r] = g.
 * Columns of out from cols to the next multiple of 16 become +0.
 * Reads whole groups of 16 rows of in, and of values, and writes 16 rows of out: all have room for rows rounded up to 16.
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

/* out[c] = Σ_r in(r, c), r ascending from +0, one addition a row; in(r, c) stands at in + (c / 16)·in_panel + r·in_row + c % 16, and cols is
 * a multiple of 16. */
typedef struct fm_column_sums {
    ptrdiff_t rows, cols;
    const float *in;
    ptrdiff_t in_row, in_panel;
    float *out;
} fm_column_sums;

/* n ≥ 0 elements, any alignment; out may be x.
 *   activate   out = activation(x)
 *   derive     out = y · activation'(z), where x = activation(z), or for an activation whose input derives it x = z
 *   multiply   out = x · y
 *   add        out = x + y
 *   subtract   out = x − y
 *   maximum    out = the larger of x and y, NaN if one of them is
 *   minimum    out = the smaller of x and y, NaN if one of them is
 *   scale      out = alpha · x
 *   exp, log   out = exp(x), log(x), within 1.5 ULP
 *   erf        out = erf(x), within 2 ULP
 */
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

#define FM_RULE_SLOTS 3

/* One optimizer step over n parameters; slots by the order of the optimizer's slot names. lr is the learning rate, already corrected for
 * the bias of the first steps where a rule has such a correction.
 *   sgd       momentum 0: w −= lr·g; else m = μ·m − lr·g, w += m, or with nesterov w += μ·m − lr·g            slot: m
 *   rmsprop   v = ρ·v + (1−ρ)·g²; d = lr·g / √(v + ε); momentum 0: w −= d; else m = μ·m + d, w −= m           slots: v, m if there is
 *             momentum, and centered: a = ρ·a + (1−ρ)·g, with max(v − a², 0) instead of v under the root             one, a last
 *   adam      m += (g − m)·(1−β1); v += (g² − v)·(1−β2); w −= m·lr / (√v + ε)                                  slots: m, v, with
 *             amsgrad: h = max(h, v), with h instead of v under the root                                             amsgrad h
 *   adagrad   a += g²; w −= lr·g / √(a + ε)                                                                     slot: a
 *   adadelta  a = ρ·a + (1−ρ)·g²; x = √(d + ε)·g / √(a + ε); d = ρ·d + (1−ρ)·x²; w −= lr·x                       slots: a, d
 *   adamax    m += (g − m)·(1−β1); u = max(β2·u, |g|); w −= lr·m / (u + ε)                                      slots: m, u
 *   nadam     m and v as adam; w −= (ahead·m + lr·g) / (√(v·correction) + ε)                                    slots: m, v
 *   lion      w −= lr·sign(β1·m + (1−β1)·g); m = β2·m + (1−β2)·g                                                slot: m
 *   ftrl      n' = n + g²; z += g + shrinkage·w − (n'ᵖ − nᵖ)/lr·w, p = power; w = 0 where |z| ≤ l1 or          slots: n, z
 *             the divisor is 0, else (l1·sign(z) − z) / (n'ᵖ/lr + l2); lr 0: nothing moves
 *   schedule_free  v as adam; d = lr·g / (√(v·correction) + ε); w += average·(z − w) − ahead·d; z −= d              slots: z, v
 */
typedef struct fm_update {
    ptrdiff_t n;
    float *w;
    const float *g;
    float *slot[FM_RULE_SLOTS];
    float learning_rate, momentum, rho, one_minus_rho, beta_1, one_minus_beta_1, beta_2, one_minus_beta_2, epsilon;
    float ahead, correction; /* nadam, schedule_free */
    float average; /* schedule_free */
    float l1, l2, shrinkage, power; /* ftrl; power ≥ 0 */
    int nesterov, centered, amsgrad;
    const int32_t *index; /* [n / 16], or NULL: row i of w and of the slots, 16 numbers, stands at 16·index[i]; g is not scattered */
} fm_update;

#define FM_SERIES 4

/* Optimizer steps in which the gradient was zero, made up for: what update_<name> with g = +0 gives when it is called once a step, the same
 * bits, as long as mean squares are +0 or above. Row i of 16 parameters stands at 16·r, r = index[i], or i where there is no index; it has
 * taken the steps before done[r] and takes done[r] … steps − 1, step s with learning_rate[s]. The same for `panels` panels, each `panel`
 * floats behind the one before.
 *
 * With a series, adam adds the steps up before it takes them, which gives the same up to rounding: with root = √v and u = root / (root + ε),
 * w −= m / (root + ε) · Σ_n series[done[r]][n]·uⁿ, Horner's way and each product and sum fused; m and v are multiplied by
 * fade[steps − done[r]].
 */
typedef struct fm_replay {
    fm_update update; /* w, slots, index and constants; epsilon > 0 */
    ptrdiff_t rows, panels, panel;
    const uint32_t *done;
    ptrdiff_t steps;
    const float *learning_rate; /* [steps], each from 0 to */
    float highest_rate;
    const float (*series)[FM_SERIES]; /* adam only: [steps] of done[r], or NULL */
    const float (*fade)[2];           /* [steps + 1] of how many steps are missed */
} fm_replay;

/* What comes before a step: g = max(−clip, min((g + l1·sign(w) + l2·w)·scale, clip)), w −= decay·w; n elements, sign(0) = 0. */
typedef struct fm_adjust {
    ptrdiff_t n;
    float *w, *g;
    float l1, l2, scale, clip, decay;
} fm_adjust;

/* out = a·x + b·y, the product b·y rounded and the rest fused; n elements, out may be x or y. */
typedef struct fm_combine {
    ptrdiff_t n;
    const float *x, *y;
    float a, b;
    float *out;
} fm_combine;

/* Sums over panels x(r, c), which stands at x + (c / 16)·x_panel + r·16 + c % 16.
 *   column_norms   absolute[c] = Σ_r |x(r, c)| and square[c] = Σ_r x(r, c)², r ascending from +0, each square fused; pads too
 *   row_norms      square[r] = Σ_c x(r, c)², over the columns that there are
 * An output that is NULL is not wanted; absolute of rows never is.
 */
typedef struct fm_norms {
    ptrdiff_t rows, cols;
    const float *x;
    ptrdiff_t x_panel;
    float *absolute, *square; /* columns: [cols rounded up to 16]; rows: [rows] */
} fm_norms;

/* x(r, c) *= column[c], or row[r] where there is no column; x as in fm_norms, pads too. */
typedef struct fm_rescale {
    ptrdiff_t rows, cols;
    float *x;
    ptrdiff_t x_panel;
    const float *column; /* [cols rounded up to 16], or NULL */
    const float *row;    /* [rows] */
} fm_rescale;

/* A penalty on what a layer gives. activity: loss[r] += l1·Σ|x| + l2·Σx²; activity_backward: out = grad + l1·sign(x) + l2·x, in pad columns
 * grad. out may be grad. */
typedef struct fm_activity {
    ptrdiff_t rows, cols;
    const float *x; /* [rows][row], padded */
    ptrdiff_t row;
    float l1, l2;
    float *loss; /* [rows] */
    const float *grad; /* [rows][row], padded, as is */
    float *out;
} fm_activity;

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

/* out(r, c) = (x(r, c) − centre[c])·scale[c] + offset[c], product and sum fused; cols is a multiple of 16. By kind:
 *   batch      centre mean, scale gamma/√(variance + ε), offset beta; a root of 0 gives the scale 0
 *   standard   centre mean, scale 1/max(√variance, ε)
 *   inverse    scale max(√variance, ε), offset mean
 *   scale      scale gamma, offset beta
 * gamma NULL is 1 (not for `scale`), mean and beta NULL are 0: so the same kernel takes a gradient back. out may be x.
 */
typedef struct fm_normalize {
    ptrdiff_t rows, cols;
    const float *x;
    ptrdiff_t x_row;
    const float *mean, *variance, *gamma, *beta; /* [cols] */
    float epsilon;
    int kind;
    float *out;
    ptrdiff_t out_row;
} fm_normalize;

/* Back through `batch` where mean and variance are x's own moments. With x̂ = (x − mean)/√(variance + ε):
 *   dbeta[c] = Σ_r grad, dgamma[c] = Σ_r grad·x̂, out = gamma/√(variance + ε)·(grad − dbeta/rows − x̂·dgamma/rows); out NULL: not wanted
 */
typedef struct fm_normalize_columns_backward {
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
} fm_normalize_columns_backward;

/* Row by row: m = Σ_c x / cols, or 0 unless centered; s = 1/√(Σ_c (x − m)² / cols + ε), 0 for a root of 0; out = (x − m)·s·gamma + beta,
 * each operation rounded. Padded rows; pad columns of out become +0. mean[r] = m and scale[r] = s where wanted.
 */
typedef struct fm_normalize_rows {
    ptrdiff_t rows, cols;
    const float *x;
    ptrdiff_t x_row;
    const float *gamma, *beta; /* padded, or NULL for 1 and 0 */
    float epsilon;
    int centered;
    float *out;
    ptrdiff_t out_row;
    float *mean, *scale; /* [rows], or both NULL */
} fm_normalize_rows;

/* With h = grad·gamma and x̂ = (x − mean)·scale: out = scale·(h − Σ_c h / cols − x̂·Σ_c h·x̂ / cols), the second term only if centered. */
typedef struct fm_normalize_rows_backward {
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
} fm_normalize_rows_backward;

/* dbeta[c] = Σ_r grad(r, c), dgamma[c] = Σ_r grad·(x − mean[r])·scale[r], r ascending from +0; cols is a multiple of 16. */
typedef struct fm_normalized_sums {
    ptrdiff_t rows, cols;
    const float *x;
    ptrdiff_t x_row;
    const float *grad;
    ptrdiff_t grad_row;
    const float *mean, *scale; /* [rows] */
    float *dgamma, *dbeta;     /* [cols] */
} fm_normalized_sums;

/* prelu            out = x above 0, alpha[c]·x else
 * prelu_backward   out = grad·(1 above 0, alpha[c] below, 0 at 0), NULL: not wanted; dalpha[c] = Σ_r grad·min(x, 0), r ascending from +0
 * cols is a multiple of 16.
 */
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

typedef struct fm_kernels {
    const char *name; /* of the ISA */
#define FM_LOSS(name) void (*loss_##name)(const fm_loss *);
#define FM_OPTIMIZER(name, slots) void (*update_##name)(const fm_update *);
#define FM_REPLAY(name, slots) void (*replay_##name)(const fm_replay *);
#define FM_KERNEL(name, arguments) void (*name)(const arguments *);
#include "isa.inc"
} fm_kernels;

/* The tables compiled in; NULL past the last. */
const fm_kernels *fm_kernels_at(int index);

/* True if this processor and operating system can run the table. */
int fm_kernels_supported(const fm_kernels *kernels);

/* A kernel's address by name, for tests and benchmarks: index counts the kernels of the table; NULL past the last. */
typedef struct fm_kernel_entry {
    const char *name;
    void (*function)(void);
} fm_kernel_entry;
fm_kernel_entry fm_kernel_entry_at(const fm_kernels *kernels, int index);

/* Names in the order of the enums; NULL past the last. */
const char *fm_activation_name(int index);
const char *fm_loss_name(int index);
const char *fm_optimizer_name(int index);

#endif
