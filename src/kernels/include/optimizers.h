/* Contracts: optimizer steps, and what comes before and after them. kernels.h has what is common to all. */
#ifndef FASTMLP_KERNELS_OPTIMIZERS_H
#define FASTMLP_KERNELS_OPTIMIZERS_H

#include <stddef.h>
#include <stdint.h>

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
#define FM_HYPERPARAMETER(name) float name;
#include "../kernels.def"
#define FM_STEP_CONSTANT(name) float name;
#include "../kernels.def"
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
    float max_learning_rate;
    const float (*series)[FM_SERIES]; /* adam only: [steps] of done[r], or NULL */
    const float (*decay)[2];           /* [steps + 1] of how many steps are missed */
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

#endif
