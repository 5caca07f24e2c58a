/* Shared by all losses and accuracies; the contract is at fm_loss. There is a kernel loss_<name> for each FM_LOSS row:
 *
 *   loss_columns.h      means or sums over columns, each column an independent term
 *   loss_categories.h   a row is a distribution over its columns: softmax, probabilities, accuracies
 *   loss_overlap.h      all rows, or the columns of each, are one set: the overlap of two sets
 *   loss_pairs.h        every row is compared with every other one
 *   loss_rows.h         the columns of a row are one vector: similarity, maximum, means and variances
 *
 * Rows are processed in blocks of V_LANES: what a row needs once (its sum, logarithm, weight) is computed for the whole block as one
 * vector. The loss is a constant argument of a shared body.
 */

/* The rows of a block: the first one's number, and how many there are, 1 … V_LANES. */
typedef struct fm_block {
    ptrdiff_t first, rows;
} fm_block;

/* One column: the loss, its derivative, the probability that x stands for, and 1 if that is on the target's side of the threshold. */
typedef struct fm_term {
    vf value, slope, probability, correct;
} fm_term;

FM_INLINE fm_block fm_block_at(const fm_loss *a, ptrdiff_t first) {
    return (fm_block){first, a->rows - first < V_LANES ? a->rows - first : V_LANES};
}

FM_INLINE vf fm_block_weights(const fm_loss *a, fm_block b) { return a->weight ? v_load_first(a->weight + b.first, b.rows) : v_set1(1.0f); }

FM_INLINE void fm_block_loss(const fm_loss *a, fm_block b, vf value) {
    v_store_first(a->loss + b.first, v_mul(fm_block_weights(a, b), value), b.rows);
}

/* Probabilities are kept within [10⁻⁷, 1 − 10⁻⁷]. NaN stays. */
#define V_MIN_PROBABILITY v_set1(1e-7f)
FM_INLINE vf v_clip_probability(vf p) { return v_min(v_set1(1.0f - 1e-7f), v_max(V_MIN_PROBABILITY, p)); }

/* The derivative of max(x, 0): 0, 1, and ½ at 0, as automatic differentiation has it for equal arguments. */
FM_INLINE vf v_step(vf x) {
    const vf zero = v_set1(0.0f);
    return v_select(v_lt(zero, x), v_set1(1.0f), v_select(v_eq(x, zero), v_set1(0.5f), zero));
}

FM_INLINE vf v_abs(vf x) { return v_as_float(vi_and(v_as_int(x), vi_set1(0x7FFFFFFF))); }

/* −1, 0 or 1 by the sign of x; NaN stays NaN with a defined sign bit, which differs between processors otherwise. */
FM_INLINE vf v_direction(vf x) {
    const vf zero = v_set1(0.0f);
    return v_select(v_lt(x, zero), v_set1(-1.0f), v_select(v_lt(zero, x), v_set1(1.0f), v_add(x, zero)));
}

/* log(1 + x) for any x ≥ 0, with a correction for the rounding of 1 + x. */
FM_INLINE vf v_log1p_positive(vf x) {
    const vf one = v_set1(1.0f), sum = v_add(one, x);
    return v_add(v_log(sum), v_div(v_sub(x, v_sub(sum, one)), sum));
}
