/* Shared by the bodies: rows and arrays that do not fill a vector, and reductions in the fixed order of kernels.h.
 *
 * Loops over columns go panel by panel (16 columns, FM_VECTORS vectors). Their bodies take `left`, the number of columns from the first
 * of the panel: the constant FM_PANEL for full panels, where the masks vanish, and 1 … 15 for the last one.
 */
#include <string.h>

static const float FM_LANES[FM_PANEL] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* The lanes that hold columns in the incomplete last vector of a row; the same for all rows, so computed once per call. */
FM_INLINE vm v_tail(ptrdiff_t cols) { return v_lt(v_load(FM_LANES), v_set1((float)(cols % V_LANES))); }

/* a in the lanes that hold columns, fill in the others, of a vector whose first lane has `left` columns left. */
FM_INLINE vf v_keep(vf a, ptrdiff_t left, vm tail, vf fill) { return left >= V_LANES ? a : left > 0 ? v_select(tail, a, fill) : fill; }

/* Loads the first n ≤ V_LANES numbers of p, then zeros; and stores them. Nothing beyond the n numbers is accessed. */
FM_INLINE vf v_load_first(const float *p, ptrdiff_t n) {
    if (n >= V_LANES)
        return v_load(p);
    float lanes[V_LANES] = {0};
    memcpy(lanes, p, (size_t)n * sizeof *p);
    return v_load(lanes);
}
FM_INLINE void v_store_first(float *p, vf a, ptrdiff_t n) {
    if (n >= V_LANES) {
        v_store(p, a);
        return;
    }
    float lanes[V_LANES];
    v_store(lanes, a);
    memcpy(p, lanes, (size_t)n * sizeof *p);
}

/* The fixed tree: lane l plus lane l + 8, then + 4, + 2, + 1. Its first levels add the vectors of a panel, which leaves one vector per
 * row; the others add lanes of that vector, for V_LANES rows at once by a transpose: lane i of the result belongs to r[i], which is
 * overwritten. The same for maxima, where the order only affects the sign of zero. */
FM_INLINE vf fm_fold_sum(vf v[FM_VECTORS]) {
#pragma GCC unroll 4
    for (int half = FM_VECTORS / 2; half; half /= 2)
#pragma GCC unroll 4
        for (int i = 0; i < half; i++)
            v[i] = v_add(v[i], v[i + half]);
    return v[0];
}
FM_INLINE vf fm_fold_max(vf v[FM_VECTORS]) {
#pragma GCC unroll 4
    for (int half = FM_VECTORS / 2; half; half /= 2)
#pragma GCC unroll 4
        for (int i = 0; i < half; i++)
            v[i] = v_max(v[i], v[i + half]);
    return v[0];
}
FM_INLINE vf fm_sum_rows(vf r[V_LANES]) {
    v_transpose(r);
#pragma GCC unroll 4
    for (int half = V_LANES / 2; half; half /= 2)
#pragma GCC unroll 8
        for (int i = 0; i < half; i++)
            r[i] = v_add(r[i], r[i + half]);
    return r[0];
}
FM_INLINE vf fm_max_rows(vf r[V_LANES]) {
    v_transpose(r);
#pragma GCC unroll 4
    for (int half = V_LANES / 2; half; half /= 2)
#pragma GCC unroll 8
        for (int i = 0; i < half; i++)
            r[i] = v_max(r[i], r[i + half]);
    return r[0];
}

/* A sum over rows is one chain of additions for each vector of columns. Four vectors at once hide the latency of the additions, and read more of a row. `function` gets the arguments, the first
 * column and the number of vectors, 4 or 1. */
#define FM_COLUMN_VECTORS 4
#define FM_BY_COLUMNS(function, arguments, cols)                                                                                           \
    do {                                                                                                                                   \
        ptrdiff_t column = 0;                                                                                                              \
        for (; column + FM_COLUMN_VECTORS * V_LANES <= (cols); column += FM_COLUMN_VECTORS * V_LANES)                                      \
            function(arguments, column, FM_COLUMN_VECTORS);                                                                                \
        for (; column < (cols); column += V_LANES)                                                                                         \
            function(arguments, column, 1);                                                                                                \
    } while (0)

/* The maximum of a row, as the lanes of one vector. Lanes beyond the columns are left alone: a maximum with a constant would drop a NaN,
 * in more lanes with wider vectors. */
FM_INLINE vf fm_row_max(const float *x, ptrdiff_t cols, vm tail) {
    const vf lowest = v_sub(v_set1(0.0f), V_INFINITY);
    vf largest[FM_VECTORS];
    for (int v = 0; v < FM_VECTORS; v++)
        largest[v] = lowest;
    ptrdiff_t c = 0;
    for (; c + FM_PANEL <= cols; c += FM_PANEL)
        for (int v = 0; v < FM_VECTORS; v++)
            largest[v] = v_max(largest[v], v_load(x + c + v * V_LANES));
    for (int v = 0; v < FM_VECTORS && c + v * V_LANES < cols; v++)
        largest[v] = v_keep(v_max(largest[v], v_load(x + c + v * V_LANES)), cols - c - v * V_LANES, tail, largest[v]);
    return fm_fold_max(largest);
}

/* The lanes of Σ_c x. */
FM_INLINE vf fm_row_sum(const float *x, ptrdiff_t cols, vm tail) {
    vf sums[FM_VECTORS];
    for (int v = 0; v < FM_VECTORS; v++)
        sums[v] = v_set1(0.0f);
    ptrdiff_t c = 0;
    for (; c + FM_PANEL <= cols; c += FM_PANEL)
        for (int v = 0; v < FM_VECTORS; v++)
            sums[v] = v_add(sums[v], v_load(x + c + v * V_LANES));
    for (int v = 0; v < FM_VECTORS && c < cols; v++, c += V_LANES)
        sums[v] = v_add(sums[v], v_keep(v_load(x + c), cols - c, tail, v_set1(0.0f)));
    return fm_fold_sum(sums);
}

/* out = exp(x − max) unless out is NULL, pad columns +0; returns the sum as the lanes of one vector. */
FM_INLINE void fm_row_exp_panel(const float *x, float *out, vf max, ptrdiff_t c, ptrdiff_t left, vm tail, vf *sums) {
    for (int v = 0; v < FM_VECTORS; v++, c += V_LANES, left -= V_LANES) {
        const vf zero = v_set1(0.0f);
        const vf e = left > 0 ? v_keep(v_exp_nonpositive(v_sub(v_load(x + c), max)), left, tail, zero) : zero;
        sums[v] = v_add(sums[v], e);
        if (out)
            v_store(out + c, e);
    }
}
FM_INLINE vf fm_row_exp(const float *x, float *out, ptrdiff_t cols, vm tail, vf max) {
    vf sums[FM_VECTORS];
    for (int v = 0; v < FM_VECTORS; v++)
        sums[v] = v_set1(0.0f);
    ptrdiff_t c = 0;
    for (; c + FM_PANEL <= cols; c += FM_PANEL)
        fm_row_exp_panel(x, out, max, c, FM_PANEL, tail, sums);
    if (c < cols)
        fm_row_exp_panel(x, out, max, c, cols - c, tail, sums);
    return fm_fold_sum(sums);
}

/* out = x·factor, pad columns +0 (even if the row holds NaN, so not by multiplying). */
FM_INLINE void fm_row_scale(const float *x, float *out, ptrdiff_t cols, vm tail, vf factor) {
    for (ptrdiff_t c = 0; c < FM_ROUND_UP(cols); c += V_LANES)
        v_store(out + c, v_keep(v_mul(v_load(x + c), factor), cols - c, tail, v_set1(0.0f)));
}

/* The lanes of Σ_c x·y. */
FM_INLINE vf fm_row_dot(const float *x, const float *y, ptrdiff_t cols, vm tail) {
    vf sums[FM_VECTORS];
    for (int v = 0; v < FM_VECTORS; v++)
        sums[v] = v_set1(0.0f);
    ptrdiff_t c = 0;
    for (; c + FM_PANEL <= cols; c += FM_PANEL)
        for (int v = 0; v < FM_VECTORS; v++)
            sums[v] = v_fma(v_load(x + c + v * V_LANES), v_load(y + c + v * V_LANES), sums[v]);
    for (int v = 0; v < FM_VECTORS && c < cols; v++, c += V_LANES)
        sums[v] = v_fma(v_keep(v_load(x + c), cols - c, tail, v_set1(0.0f)), v_load(y + c), sums[v]);
    return fm_fold_sum(sums);
}

/* Narrow rows, of at most 16 columns, would leave most lanes unused. V_LANES of them are transposed, so that t[c] holds column c of all
 * these rows: one vector operation then serves V_LANES rows, without masks. */
FM_INLINE void fm_narrow_load(const float *x, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t cols, vf t[FM_PANEL]) {
    ptrdiff_t c = 0;
    do { /* cols ≥ 1 */
#pragma GCC unroll 16
        for (int i = 0; i < V_LANES; i++)
            t[c + i] = v_load(x + (i < rows ? i : 0) * stride + c); /* missing rows repeat the first */
        v_transpose(t + c);
        c += V_LANES;
    } while (c < cols);
}

/* The inverse; t is overwritten, and pad columns become +0. */
FM_INLINE void fm_narrow_store(float *out, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t cols, vf t[FM_PANEL]) {
    for (ptrdiff_t c = cols; c < FM_PANEL; c++)
        t[c] = v_set1(0.0f);
    for (ptrdiff_t c = 0; c < FM_PANEL; c += V_LANES) {
        if (c < cols)
            v_transpose(t + c);
#pragma GCC unroll 16
        for (int i = 0; i < V_LANES; i++)
            if (i < rows)
                v_store(out + i * stride + c, t[c + i]);
    }
}

/* The fixed tree over the columns of narrow rows, with the same bits as lanes starting at +0; t is overwritten. Additions of zero are
 * left out. */
FM_INLINE vf fm_narrow_sum(vf t[FM_PANEL], ptrdiff_t cols) {
    for (ptrdiff_t c = 0; c < cols; c++)
        t[c] = v_add(t[c], v_set1(0.0f));
    for (ptrdiff_t half = FM_PANEL / 2; half; half /= 2) {
        for (ptrdiff_t c = half; c < cols; c++)
            t[c - half] = v_add(t[c - half], t[c]);
        cols = cols < half ? cols : half;
    }
    return t[0];
}
