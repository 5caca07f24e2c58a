/* Optimizer steps. fm_update_vector moves one vector of parameters and is what fixes the rounding; update_<name> runs it over arrays.
 *
 * Which products are fused is part of the contract, since every ISA must round alike:
 *   sgd        w ← w − lr·g                          one fma
 *   momentum   m ← (μ·m) − lr·g, fused with the second product; w ← w + m, or with Nesterov w ← w + ((μ·m) − lr·g), fused likewise
 *   rmsprop    v ← ((1−ρ)·g)·g + (ρ·v), fused; d = (lr·g) / √(v + ε); w ← w − d, or m ← μ·m + d, fused, and w ← w − m
 *   centered   a ← (1−ρ)·g + (ρ·a), fused; under the root max(v − a·a, 0) + ε, fused: Keras' formula, but for rounding never below zero
 *   adam       m ← (g − m)·(1−β1) + m, fused; v ← v − (v − g·g)·(1−β2), both products fused; w ← w − (m·lr) / (√v + ε)
 *   adagrad    a ← g·g + a, fused; w ← w − (lr·g) / √(a + ε)
 *   adadelta   a as rmsprop's v; x = (√(d + ε)·g) / √(a + ε); d ← ((1−ρ)·x)·x + (ρ·d), fused; w ← w − lr·x, fused
 *   adamax     m as adam; u ← max(β2·u, |g|); w ← w − (m·lr) / (u + ε)
 *   nadam      m, v as adam; w ← w − (ahead·m + lr·g) / (√(v·correction) + ε), the second product fused
 *   lion       w ← w − lr·sign((1−β1)·g + (β1·m)), both fused; m ← (1−β2)·g + (β2·m), fused
 *   ftrl       z ← z + ((s·w + g) − (Δ / lr)·w), both fused, Δ the change of nᵖ where n ← g·g + n, fused, and p = ½ is a root;
 *              w ← (λ1·sign(z) − z) / (nᵖ / lr + λ2)
 *   schedule_free  v as adam; d = (lr·g) / (√(v·correction) + ε); w ← (average·(z − w) + w) − ahead·d, both fused; z ← z − d
 * Everything else is rounded on its own. v never falls below zero: v − g² rounds to at most v, and 1 − β2 is at most 1.
 */

#if !defined(V_HAS_SQRT_BY_FMA)
#define v_sqrt_by_fma v_sqrt
#endif

enum {
    FM_RULE_SGD,
    FM_RULE_SGD_MOMENTUM,
    FM_RULE_SGD_NESTEROV,
    FM_RULE_RMSPROP,
    FM_RULE_RMSPROP_MOMENTUM,
    FM_RULE_RMSPROP_CENTERED,
    FM_RULE_RMSPROP_CENTERED_MOMENTUM,
    FM_RULE_ADAM,
    FM_RULE_AMSGRAD,
    FM_RULE_ADAGRAD,
    FM_RULE_ADADELTA,
    FM_RULE_ADAMAX,
    FM_RULE_NADAM,
    FM_RULE_LION,
    FM_RULE_FTRL,
    FM_RULE_FTRL_POWER,
    FM_RULE_SCHEDULE_FREE,
};

/* fm_update's constants, broadcast. Those that a rule does not use vanish when this is inlined. */
typedef struct fm_update_constants {
#define FM_HYPERPARAMETER(name) vf name;
#include "../kernels.def"
#define FM_STEP_CONSTANT(name) vf name;
#include "../kernels.def"
    float exponent; /* power, for v_power */
} fm_update_constants;

FM_INLINE fm_update_constants fm_update_prepare(const fm_update *u) {
    return (fm_update_constants){
#define FM_HYPERPARAMETER(name) .name = v_set1(u->name),
#include "../kernels.def"
#define FM_STEP_CONSTANT(name) .name = v_set1(u->name),
#include "../kernels.def"
        .exponent = u->power,
    };
}

FM_INLINE int fm_update_slots(const int rule) {
    switch (rule) {
    case FM_RULE_SGD:
        return 0;
    case FM_RULE_SGD_MOMENTUM:
    case FM_RULE_SGD_NESTEROV:
    case FM_RULE_RMSPROP:
    case FM_RULE_ADAGRAD:
    case FM_RULE_LION:
        return 1;
    case FM_RULE_RMSPROP_CENTERED_MOMENTUM:
    case FM_RULE_AMSGRAD:
        return 3;
    default:
        return 2;
    }
}

/* The running mean and mean square of Adam and its kin. */
FM_INLINE vf fm_mean(const fm_update_constants *k, vf m, vf g) { return v_fma(v_sub(g, m), k->one_minus_beta_1, m); }
FM_INLINE vf fm_mean_square(const fm_update_constants *k, vf v, vf g) { return v_fnma(v_fnma(g, g, v), k->one_minus_beta_2, v); }

FM_INLINE vf fm_ftrl_power(const int rule, const fm_update_constants *k, vf n) {
    return rule == FM_RULE_FTRL ? v_sqrt(n) : v_power(n, k->exponent);
}

/* One vector: w, and the slots that the rule has, by their order. rule is a constant wherever this is inlined. */
FM_INLINE void fm_update_vector(const int rule, const fm_update_constants *k, vf *w, vf g, vf slot[FM_RULE_SLOTS]) {
    switch (rule) {
    case FM_RULE_SGD:
        *w = v_fnma(k->learning_rate, g, *w);
        break;
    case FM_RULE_SGD_MOMENTUM:
    case FM_RULE_SGD_NESTEROV: {
        const vf m = v_fnma(k->learning_rate, g, v_mul(k->momentum, slot[0]));
        *w = v_add(*w, rule == FM_RULE_SGD_NESTEROV ? v_fnma(k->learning_rate, g, v_mul(k->momentum, m)) : m);
        slot[0] = m;
        break;
    }
    case FM_RULE_RMSPROP:
    case FM_RULE_RMSPROP_MOMENTUM:
    case FM_RULE_RMSPROP_CENTERED:
    case FM_RULE_RMSPROP_CENTERED_MOMENTUM: {
        const int has_momentum = rule == FM_RULE_RMSPROP_MOMENTUM || rule == FM_RULE_RMSPROP_CENTERED_MOMENTUM;
        vf v = v_fma(v_mul(k->one_minus_rho, g), g, v_mul(k->rho, slot[0]));
        slot[0] = v;
        if (rule == FM_RULE_RMSPROP_CENTERED || rule == FM_RULE_RMSPROP_CENTERED_MOMENTUM) {
            const vf mean = slot[1 + has_momentum] = v_fma(k->one_minus_rho, g, v_mul(k->rho, slot[1 + has_momentum]));
            v = v_max(v_set1(0.0f), v_fnma(mean, mean, v));
        }
        vf d = v_div(v_mul(k->learning_rate, g), v_sqrt_by_fma(v_add(v, k->epsilon)));
        if (has_momentum)
            slot[1] = d = v_fma(k->momentum, slot[1], d);
        *w = v_sub(*w, d);
        break;
    }
    case FM_RULE_ADAM:
    case FM_RULE_AMSGRAD: {
        const vf m = slot[0] = fm_mean(k, slot[0], g);
        vf v = slot[1] = fm_mean_square(k, slot[1], g);
        if (rule == FM_RULE_AMSGRAD)
            slot[2] = v = v_max(slot[2], v);
        *w = v_sub(*w, v_div(v_mul(m, k->learning_rate), v_add(v_sqrt_by_fma(v), k->epsilon)));
        break;
    }
    case FM_RULE_ADAGRAD:
        slot[0] = v_fma(g, g, slot[0]);
        *w = v_sub(*w, v_div(v_mul(k->learning_rate, g), v_sqrt(v_add(slot[0], k->epsilon))));
        break;
    case FM_RULE_ADADELTA: {
        slot[0] = v_fma(v_mul(k->one_minus_rho, g), g, v_mul(k->rho, slot[0]));
        const vf x = v_div(v_mul(v_sqrt(v_add(slot[1], k->epsilon)), g), v_sqrt(v_add(slot[0], k->epsilon)));
        slot[1] = v_fma(v_mul(k->one_minus_rho, x), x, v_mul(k->rho, slot[1]));
        *w = v_fnma(k->learning_rate, x, *w);
        break;
    }
    case FM_RULE_ADAMAX:
        slot[0] = fm_mean(k, slot[0], g);
        slot[1] = v_max(v_mul(k->beta_2, slot[1]), v_magnitude(g));
        *w = v_sub(*w, v_div(v_mul(slot[0], k->learning_rate), v_add(slot[1], k->epsilon)));
        break;
    case FM_RULE_NADAM: {
        slot[0] = fm_mean(k, slot[0], g);
        slot[1] = fm_mean_square(k, slot[1], g);
        const vf step = v_fma(k->learning_rate, g, v_mul(k->ahead, slot[0]));
        *w = v_sub(*w, v_div(step, v_add(v_sqrt_by_fma(v_mul(slot[1], k->correction)), k->epsilon)));
        break;
    }
    case FM_RULE_LION:
        *w = v_fnma(k->learning_rate, v_sign(v_fma(k->one_minus_beta_1, g, v_mul(k->beta_1, slot[0]))), *w);
        slot[0] = v_fma(k->one_minus_beta_2, g, v_mul(k->beta_2, slot[0]));
        break;
    case FM_RULE_FTRL:
    case FM_RULE_FTRL_POWER: {
        const vf zero = v_set1(0.0f), before = fm_ftrl_power(rule, k, slot[0]);
        slot[0] = v_fma(g, g, slot[0]);
        const vf power = fm_ftrl_power(rule, k, slot[0]);
        const vf shift = v_div(v_sub(power, before), k->learning_rate);
        const vf z = slot[1] = v_add(slot[1], v_fnma(shift, *w, v_fma(k->shrinkage, *w, g)));
        const vf divisor = v_add(v_div(power, k->learning_rate), k->l2);
        const vf far = v_select(v_le(divisor, zero), zero, v_div(v_sub(v_mul(k->l1, v_sign(z)), z), divisor));
        *w = v_select(v_le(v_magnitude(z), k->l1), zero, far);
        break;
    }
    case FM_RULE_SCHEDULE_FREE: {
        slot[1] = fm_mean_square(k, slot[1], g);
        const vf root = v_sqrt(v_mul(slot[1], k->correction));
        const vf d = v_div(v_mul(k->learning_rate, g), v_add(root, k->epsilon));
        *w = v_fnma(k->ahead, d, v_fma(k->average, v_sub(slot[0], *w), *w));
        slot[0] = v_sub(slot[0], d);
        break;
    }
    }
}

/* The vectors at w + at, slot[s] + at, with the gradient at g. */
FM_INLINE void fm_update_at(const int rule, const fm_update_constants *k, float *w, const float *g, float *const slot[], ptrdiff_t at) {
    const int slots = fm_update_slots(rule);
    vf parameter = v_load(w + at), state[FM_RULE_SLOTS];
    for (int s = 0; s < FM_RULE_SLOTS; s++)
        state[s] = s < slots ? v_load(slot[s] + at) : v_set1(0.0f);
    fm_update_vector(rule, k, &parameter, v_load(g), state);
    v_store(w + at, parameter);
    for (int s = 0; s < slots; s++)
        v_store(slot[s] + at, state[s]);
}

/* Rows selected by an index are far apart in memory, so they are prefetched. */
#define FM_UPDATE_AHEAD 8
FM_INLINE void fm_prefetch_row(const int rule, const fm_update *u, ptrdiff_t offset) {
    __builtin_prefetch(u->w + offset, 1);
    for (int s = 0; s < fm_update_slots(rule); s++)
        __builtin_prefetch(u->slot[s] + offset, 1);
}

/* The last few parameters, fewer than a vector. */
FM_INLINE void fm_update_tail(const int rule, const fm_update_constants *k, const fm_update *u, ptrdiff_t begin) {
    const size_t bytes = (size_t)(u->n - begin) * sizeof(float);
    float w[V_LANES] = {0}, g[V_LANES] = {0}, state[FM_RULE_SLOTS][V_LANES] = {{0}};
    float *const slot[FM_RULE_SLOTS] = {state[0], state[1], state[2]};
    memcpy(w, u->w + begin, bytes);
    memcpy(g, u->g + begin, bytes);
    for (int s = 0; s < fm_update_slots(rule); s++)
        memcpy(state[s], u->slot[s] + begin, bytes);
    fm_update_at(rule, k, w, g, slot, 0);
    memcpy(u->w + begin, w, bytes);
    for (int s = 0; s < fm_update_slots(rule); s++)
        memcpy(u->slot[s] + begin, state[s], bytes);
}

FM_INLINE void fm_update_all(const int rule, const fm_update *u) {
    const fm_update_constants k = fm_update_prepare(u);
    const ptrdiff_t n = u->n;
    float *const w = u->w, *const slot[FM_RULE_SLOTS] = {u->slot[0], u->slot[1], u->slot[2]};
    const float *const g = u->g;
    ptrdiff_t i = 0;
    for (; u->index && i < n; i += FM_PANEL) {
        const ptrdiff_t at = u->index[i / FM_PANEL] * (ptrdiff_t)FM_PANEL;
        if (i + FM_UPDATE_AHEAD * FM_PANEL < n)
            fm_prefetch_row(rule, u, u->index[i / FM_PANEL + FM_UPDATE_AHEAD] * (ptrdiff_t)FM_PANEL);
        for (int v = 0; v < FM_PANEL; v += V_LANES)
            fm_update_at(rule, &k, w, g + i + v, slot, at + v);
    }
    for (; i + V_LANES <= n; i += V_LANES)
        fm_update_at(rule, &k, w, g + i, slot, i);
    if (i < n)
        fm_update_tail(rule, &k, u, i);
}

/* -- steps whose gradient is zero --------------------------------------------------------------------------------------------------
 *
 * The formulas above for g = +0, bit for bit, with what then vanishes left out. A row soon needs less than whole steps. Once all that a
 * parameter will still move is less than a quarter of the distance to its neighbour, it stays, and only the slots fade; a slot that has
 * faded to zero stays too.
 */

#define FM_REPLAY_CHECK 16   /* steps between two checks whether a row still changes */
#define FM_REPLAY_PANELS (V_LANES / 4) /* four vectors are enough independent chains to hide latency */
#define FM_REPLAY_AHEAD 4

typedef struct fm_row {
    vf w[4], slot_0[4], slot_1[4];
} fm_row;

/* The decay of a slot in a step. */
FM_INLINE vf fm_decay_slot_0(const int rule, const fm_update_constants *k, vf slot_0) {
    if (rule == FM_RULE_ADAM)
        return v_fnma(slot_0, k->one_minus_beta_1, slot_0);
    return v_mul(rule == FM_RULE_RMSPROP || rule == FM_RULE_RMSPROP_MOMENTUM ? k->rho : k->momentum, slot_0);
}
FM_INLINE vf fm_decay_slot_1(const int rule, const fm_update_constants *k, vf slot_1) {
    return rule == FM_RULE_ADAM ? v_fnma(slot_1, k->one_minus_beta_2, slot_1) : v_fma(k->momentum, slot_1, v_set1(0.0f));
}

FM_INLINE void fm_zero_gradient_step(const int rule, const fm_update_constants *k, vf learning_rate, fm_row *row, int v) {
    if (fm_update_slots(rule) > 0)
        row->slot_0[v] = fm_decay_slot_0(rule, k, row->slot_0[v]);
    if (fm_update_slots(rule) > 1)
        row->slot_1[v] = fm_decay_slot_1(rule, k, row->slot_1[v]);
    if (rule == FM_RULE_SGD_MOMENTUM)
        row->w[v] = v_add(row->w[v], row->slot_0[v]);
    if (rule == FM_RULE_SGD_NESTEROV)
        row->w[v] = v_add(row->w[v], v_mul(k->momentum, row->slot_0[v]));
    if (rule == FM_RULE_RMSPROP_MOMENTUM)
        row->w[v] = v_sub(row->w[v], row->slot_1[v]);
    if (rule == FM_RULE_ADAM)
        row->w[v] = v_sub(row->w[v], v_div(v_mul(row->slot_0[v], learning_rate), v_add(v_sqrt_by_fma(row->slot_1[v]), k->epsilon)));
}

#define FM_ALL_LANES ((2u << (V_LANES - 1)) - 1)

/* True if no parameter of the row will change any more. Its next steps are no longer than this one: momentum does not grow, and Adam's
 * shrinks faster than the root it is divided by, as long as that does not vanish, which the bound 1e-24 excludes. */
FM_INLINE int fm_is_stationary(const int rule, const int vectors, const fm_update_constants *k, vf max_learning_rate, const fm_row *row) {
    unsigned resting = FM_ALL_LANES;
    for (int v = 0; v < vectors; v++) {
        vf move = v_magnitude(rule == FM_RULE_RMSPROP_MOMENTUM ? row->slot_1[v] : row->slot_0[v]);
        vf room = v_min(v_magnitude(row->w[v]), v_set1(0x1.fffffep127f)); /* infinity is excluded: inf − inf is not inf */
        if (rule == FM_RULE_ADAM) {
            const vf root = v_sqrt(row->slot_1[v]);
            room = v_mul(room, v_add(v_select(v_lt(root, v_set1(1e-12f)), v_set1(0.0f), root), k->epsilon));
            move = v_mul(move, max_learning_rate);
        }
        resting &= v_bits(v_le(move, v_mul(room, v_set1(0x1p-26f))));
    }
    return rule == FM_RULE_RMSPROP || resting == FM_ALL_LANES;
}

FM_INLINE int fm_is_zero(const int vectors, const vf *slot) {
    unsigned zero = FM_ALL_LANES;
    for (int v = 0; v < vectors; v++)
        zero &= v_bits(v_eq(slot[v], v_set1(0.0f)));
    return zero == FM_ALL_LANES;
}

/* Steps s … steps − 1 of one row, at least one; `may_stop` if fm_is_stationary is valid. A full step comes first, and one more decay
 * after a slot became zero, because they determine the sign of zeros. */
FM_INLINE void fm_replay_steps(const int rule, const int vectors, const fm_update_constants *k, const fm_replay *r, int may_stop,
                               ptrdiff_t s, fm_row *row) {
    const int slots = fm_update_slots(rule);
    const vf max_learning_rate = v_set1(r->max_learning_rate);
    ptrdiff_t next = 1;
    do {
        for (const ptrdiff_t stop = r->steps - s < next ? r->steps : s + next; s < stop; s++)
            for (int v = 0; v < vectors; v++)
                fm_zero_gradient_step(rule, k, v_set1(r->learning_rate[s]), row, v);
        next = FM_REPLAY_CHECK;
    } while (s < r->steps && !(may_stop && fm_is_stationary(rule, vectors, k, max_learning_rate, row)));
    int zero_0 = 0, zero_1 = slots < 2;
    while (s < r->steps && !(zero_0 && zero_1)) {
        const int now_zero_0 = fm_is_zero(vectors, row->slot_0), now_zero_1 = slots < 2 || fm_is_zero(vectors, row->slot_1);
        const ptrdiff_t next_look = now_zero_0 && now_zero_1 ? 1 : 4 * FM_REPLAY_CHECK;
        const ptrdiff_t stop = r->steps - s < next_look ? r->steps : s + next_look;
        for (ptrdiff_t i = s; i < stop && !zero_0; i++)
            for (int v = 0; v < vectors; v++)
                row->slot_0[v] = fm_decay_slot_0(rule, k, row->slot_0[v]);
        for (ptrdiff_t i = s; i < stop && !zero_1; i++)
            for (int v = 0; v < vectors; v++)
                row->slot_1[v] = fm_decay_slot_1(rule, k, row->slot_1[v]);
        s = stop;
        zero_0 = now_zero_0;
        zero_1 = now_zero_1;
    }
}

/* One row of as many panels as make this number of vectors, the first of them at `offset`. */
FM_INLINE void fm_replay_row(const int rule, const int vectors, const fm_update_constants *k, const fm_replay *r, int may_stop,
                             ptrdiff_t done, ptrdiff_t offset) {
    const int slots = fm_update_slots(rule);
    fm_row row;
    for (int v = 0; v < vectors; v++) {
        const ptrdiff_t at = offset + v / FM_VECTORS * r->panel + v % FM_VECTORS * V_LANES;
        row.w[v] = v_load(r->update.w + at);
        row.slot_0[v] = v_load(r->update.slot[0] + at);
        row.slot_1[v] = slots > 1 ? v_load(r->update.slot[1] + at) : v_set1(0.0f);
    }
    fm_replay_steps(rule, vectors, k, r, may_stop, done, &row);
    for (int v = 0; v < vectors; v++) {
        const ptrdiff_t at = offset + v / FM_VECTORS * r->panel + v % FM_VECTORS * V_LANES;
        if (rule != FM_RULE_RMSPROP)
            v_store(r->update.w + at, row.w[v]);
        v_store(r->update.slot[0] + at, row.slot_0[v]);
        if (slots > 1)
            v_store(r->update.slot[1] + at, row.slot_1[v]);
    }
}

/* One row of some panels, with the steps summed by their series. */
FM_INLINE void fm_replay_series(const int panels, const fm_update_constants *k, const fm_replay *r, ptrdiff_t done, ptrdiff_t offset) {
    const float *const series = r->series[done], *const decay = r->decay[r->steps - done];
    for (int v = 0; v < panels * FM_VECTORS; v++) {
        const ptrdiff_t at = offset + v / FM_VECTORS * r->panel + v % FM_VECTORS * V_LANES;
        float *const w = r->update.w + at, *const slot_0 = r->update.slot[0] + at, *const slot_1 = r->update.slot[1] + at;
        const vf m = v_load(slot_0), root = v_sqrt(v_load(slot_1));
        const vf inverse = v_div(v_set1(1.0f), v_add(root, k->epsilon)), u = v_mul(root, inverse);
        vf sum = v_set1(series[FM_SERIES - 1]);
        for (int n = FM_SERIES - 2; n >= 0; n--)
            sum = v_fma(sum, u, v_set1(series[n]));
        v_store(w, v_fnma(v_mul(m, inverse), sum, v_load(w)));
        v_store(slot_0, v_mul(m, v_set1(decay[0])));
        v_store(slot_1, v_mul(v_load(slot_1), v_set1(decay[1])));
    }
}

FM_INLINE void fm_replay_panels(const int rule, const int panels, const fm_update_constants *k, const fm_replay *r, int may_stop,
                                ptrdiff_t panel) {
    const int32_t *const index = r->update.index;
    for (ptrdiff_t i = 0; i < r->rows; i++) {
        const ptrdiff_t at = index ? index[i] : i, done = (ptrdiff_t)r->done[at];
        for (int p = 0; p < panels && index && i + FM_REPLAY_AHEAD < r->rows; p++)
            fm_prefetch_row(rule, &r->update, (panel + p) * r->panel + index[i + FM_REPLAY_AHEAD] * (ptrdiff_t)FM_PANEL);
        const ptrdiff_t offset = panel * r->panel + at * FM_PANEL;
        if (done < r->steps && rule == FM_RULE_ADAM && r->series)
            fm_replay_series(panels, k, r, done, offset);
        else if (done < r->steps)
            fm_replay_row(rule, panels * FM_VECTORS, k, r, may_stop, done, offset);
    }
}

FM_INLINE void fm_replay_all(const int rule, const fm_replay *r) {
    const fm_update_constants k = fm_update_prepare(&r->update);
    const float decay = 1.0f - r->update.one_minus_beta_1, fade_1 = 1.0f - r->update.one_minus_beta_2;
    const int may_stop =
        rule != FM_RULE_ADAM || (decay * decay <= fade_1 && fade_1 >= 0.5f && (float)r->steps * r->update.one_minus_beta_2 < 10.0f);
    ptrdiff_t panel = 0;
    for (; panel + FM_REPLAY_PANELS <= r->panels; panel += FM_REPLAY_PANELS)
        fm_replay_panels(rule, FM_REPLAY_PANELS, &k, r, may_stop, panel);
    for (; panel < r->panels; panel++)
        fm_replay_panels(rule, 1, &k, r, may_stop, panel);
}

/* -- by optimizer ------------------------------------------------------------------------------------------------------------------ */

void FM_FUNCTION(update_sgd)(const fm_update *u) {
    if (u->momentum == 0.0f)
        fm_update_all(FM_RULE_SGD, u);
    else if (u->nesterov != 0.0f)
        fm_update_all(FM_RULE_SGD_NESTEROV, u);
    else
        fm_update_all(FM_RULE_SGD_MOMENTUM, u);
}
void FM_FUNCTION(replay_sgd)(const fm_replay *r) {
    if (r->update.momentum == 0.0f)
        return;
    if (r->update.nesterov != 0.0f)
        fm_replay_all(FM_RULE_SGD_NESTEROV, r);
    else
        fm_replay_all(FM_RULE_SGD_MOMENTUM, r);
}

void FM_FUNCTION(update_rmsprop)(const fm_update *u) {
    if (u->centered != 0.0f && u->momentum == 0.0f)
        fm_update_all(FM_RULE_RMSPROP_CENTERED, u);
    else if (u->centered != 0.0f)
        fm_update_all(FM_RULE_RMSPROP_CENTERED_MOMENTUM, u);
    else if (u->momentum == 0.0f)
        fm_update_all(FM_RULE_RMSPROP, u);
    else
        fm_update_all(FM_RULE_RMSPROP_MOMENTUM, u);
}
void FM_FUNCTION(replay_rmsprop)(const fm_replay *r) {
    if (r->update.momentum == 0.0f)
        fm_replay_all(FM_RULE_RMSPROP, r);
    else
        fm_replay_all(FM_RULE_RMSPROP_MOMENTUM, r);
}

void FM_FUNCTION(update_adam)(const fm_update *u) {
    if (u->amsgrad != 0.0f)
        fm_update_all(FM_RULE_AMSGRAD, u);
    else
        fm_update_all(FM_RULE_ADAM, u);
}
void FM_FUNCTION(replay_adam)(const fm_replay *r) { fm_replay_all(FM_RULE_ADAM, r); }

void FM_FUNCTION(update_adagrad)(const fm_update *u) { fm_update_all(FM_RULE_ADAGRAD, u); }
void FM_FUNCTION(update_adadelta)(const fm_update *u) { fm_update_all(FM_RULE_ADADELTA, u); }
void FM_FUNCTION(update_adamax)(const fm_update *u) { fm_update_all(FM_RULE_ADAMAX, u); }
void FM_FUNCTION(update_nadam)(const fm_update *u) { fm_update_all(FM_RULE_NADAM, u); }
void FM_FUNCTION(update_lion)(const fm_update *u) { fm_update_all(FM_RULE_LION, u); }
void FM_FUNCTION(update_ftrl)(const fm_update *u) {
    if (u->learning_rate == 0.0f) /* a divisor; with a rate of 0 nothing changes */
        return;
    if (u->power == 0.5f)
        fm_update_all(FM_RULE_FTRL, u);
    else
        fm_update_all(FM_RULE_FTRL_POWER, u);
}
void FM_FUNCTION(update_schedule_free)(const fm_update *u) { fm_update_all(FM_RULE_SCHEDULE_FREE, u); }
