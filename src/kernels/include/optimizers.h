/* Contracts of optimizer steps, and of what surrounds them. See kernels.h for what all contracts have in common. */
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

/* Replays optimizer steps with a zero gradient: the bits of calling update_<name> with g = +0 once for each step, provided that mean
 * squares are ≥ +0. Row i of 16 parameters is at 16·r with r = index[i], or r = i without an index; it has taken the steps before
 * done[r] and takes done[r] … steps − 1, step s with learning_rate[s]. Repeated for `panels` panels, `panel` floats apart.
 *
 * With a series, adam sums the steps before applying them, which is equal up to rounding: with root = √v and u = root / (root + ε), w −=
 * m / (root + ε) · Σ_n series[done[r]][n]·uⁿ by Horner's method, each product and sum fused; m and v are multiplied by decay[steps −
 * done[r]].
 */
typedef struct fm_replay {
    fm_update update; /* w, slots, index and constants; epsilon > 0 */
    ptrdiff_t rows, panels, panel;
    const uint32_t *done;
    ptrdiff_t steps;
    const float *learning_rate; /* [steps], each from 0 to max_learning_rate */
    float max_learning_rate;
    const float (*series)[FM_SERIES]; /* adam only: [steps] of done[r], or NULL */
    const float (*decay)[2];           /* [steps + 1] by number of missed steps */
} fm_replay;

/* Before a step: g = max(−clip, min((g + l1·sign(w) + l2·w)·scale, clip)), w −= decay·w; n elements, sign(0) = 0. */
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

/* Sums over panels, where x(r, c) is at x + (c / 16)·x_panel + r·16 + c % 16.
 *   column_norms   absolute[c] = Σ_r |x(r, c)| and square[c] = Σ_r x(r, c)², r ascending from +0, each square fused; also of pads
 *   row_norms      square[r] = Σ_c x(r, c)², without pads
 * Outputs may be NULL; row_norms has no `absolute`. */
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
