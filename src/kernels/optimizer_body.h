/* Optimizer steps. fm_update_vector moves one vector of parameters and is what fixes the rounding; update_<name> runs it over arrays.
 *
 * Which products are fused is part of the contract, since every ISA must round alike:
 *   sgd        w ← w − lr·g                          one fma
 *   momentum   m ← (μ·m) − lr·g, fused with the second product; w ← w + m, or with Nesterov w ← w + ((μ·m) − lr·g), fused likewise
 *   rmsprop    v ← ((1−ρ)·g)·g + (ρ·v), fused; d = (lr·g) / √(v + ε); w ← w − d, or m ← μ·m + d, fused, and w ← w − m
 *   adam       m ← (g − m)·(1−β1) + m, fused; v ← v − (v − g·g)·(1−β2), both products fused; w ← w − (m·lr) / (√v + ε)
 * Everything else is rounded on its own. v never falls below zero: v − g² rounds to at most v, and 1 − β2 is at most 1.
 */

enum { FM_SGD, FM_SGD_MOMENTUM, FM_SGD_NESTEROV, FM_RMSPROP, FM_RMSPROP_MOMENTUM, FM_ADAM };

typedef struct fm_update_constants {
    vf learning_rate, momentum, rho, one_minus_rho, one_minus_beta_1, one_minus_beta_2, epsilon;
} fm_update_constants;

FM_INLINE fm_update_constants fm_update_prepare(const fm_update *u) {
    return (fm_update_constants){
        .learning_rate = v_set1(u->learning_rate),
        .momentum = v_set1(u->momentum),
        .rho = v_set1(u->rho),
        .one_minus_rho = v_set1(u->one_minus_rho),
        .one_minus_beta_1 = v_set1(u->one_minus_beta_1),
        .one_minus_beta_2 = v_set1(u->one_minus_beta_2),
        .epsilon = v_set1(u->epsilon),
    };
}

FM_INLINE int fm_update_slots(const int rule) {
    return rule == FM_SGD ? 0 : rule == FM_SGD_MOMENTUM || rule == FM_SGD_NESTEROV || rule == FM_RMSPROP ? 1 : 2;
}

/* One vector: w, and the slots that the rule has, by their order. rule is a constant wherever this is inlined. */
FM_INLINE void fm_update_vector(const int rule, const fm_update_constants *k, vf *w, vf g, vf *slot_0, vf *slot_1) {
    switch (rule) {
    case FM_SGD:
        *w = v_fnma(k->learning_rate, g, *w);
        break;
    case FM_SGD_MOMENTUM:
    case FM_SGD_NESTEROV: {
        const vf m = v_fnma(k->learning_rate, g, v_mul(k->momentum, *slot_0));
        *w = v_add(*w, rule == FM_SGD_NESTEROV ? v_fnma(k->learning_rate, g, v_mul(k->momentum, m)) : m);
        *slot_0 = m;
        break;
    }
    case FM_RMSPROP:
    case FM_RMSPROP_MOMENTUM: {
        const vf v = v_fma(v_mul(k->one_minus_rho, g), g, v_mul(k->rho, *slot_0));
        vf d = v_div(v_mul(k->learning_rate, g), v_sqrt(v_add(v, k->epsilon)));
        if (rule == FM_RMSPROP_MOMENTUM)
            *slot_1 = d = v_fma(k->momentum, *slot_1, d);
        *w = v_sub(*w, d);
        *slot_0 = v;
        break;
    }
    case FM_ADAM: {
        const vf m = v_fma(v_sub(g, *slot_0), k->one_minus_beta_1, *slot_0);
        const vf v = v_fnma(v_fnma(g, g, *slot_1), k->one_minus_beta_2, *slot_1);
        *w = v_sub(*w, v_div(v_mul(m, k->learning_rate), v_add(v_sqrt(v), k->epsilon)));
        *slot_0 = m;
        *slot_1 = v;
        break;
    }
    }
}

FM_INLINE void fm_update_at(const int rule, const fm_update_constants *k, float *w, const float *g, float *slot_0, float *slot_1) {
    const int slots = fm_update_slots(rule);
    vf parameter = v_load(w), s0 = v_set1(0.0f), s1 = v_set1(0.0f);
    if (slots > 0)
        s0 = v_load(slot_0);
    if (slots > 1)
        s1 = v_load(slot_1);
    fm_update_vector(rule, k, &parameter, v_load(g), &s0, &s1);
    v_store(w, parameter);
    if (slots > 0)
        v_store(slot_0, s0);
    if (slots > 1)
        v_store(slot_1, s1);
}

FM_INLINE void fm_update_all(const int rule, const fm_update *u) {
    const fm_update_constants k = fm_update_prepare(u);
    const ptrdiff_t n = u->n;
    const int slots = fm_update_slots(rule);
    float *const w = u->w, *const s0 = slots > 0 ? u->slot[0] : w, *const s1 = slots > 1 ? u->slot[1] : w;
    const float *const g = u->g;
    ptrdiff_t i = 0;
    for (; i + V_LANES <= n; i += V_LANES)
        fm_update_at(rule, &k, w + i, g + i, s0 + i, s1 + i);
    if (i < n) {
        const size_t bytes = (size_t)(n - i) * sizeof(float);
        float tail[4][V_LANES] = {{0}};
        memcpy(tail[0], w + i, bytes);
        memcpy(tail[1], g + i, bytes);
        memcpy(tail[2], s0 + i, bytes);
        memcpy(tail[3], s1 + i, bytes);
        fm_update_at(rule, &k, tail[0], tail[1], tail[2], tail[3]);
        memcpy(w + i, tail[0], bytes);
        if (slots > 0)
            memcpy(s0 + i, tail[2], bytes);
        if (slots > 1)
            memcpy(s1 + i, tail[3], bytes);
    }
}

static void update_sgd(const fm_update *u) {
    if (u->momentum == 0.0f)
        fm_update_all(FM_SGD, u);
    else if (u->nesterov)
        fm_update_all(FM_SGD_NESTEROV, u);
    else
        fm_update_all(FM_SGD_MOMENTUM, u);
}

static void update_rmsprop(const fm_update *u) {
    if (u->momentum == 0.0f)
        fm_update_all(FM_RMSPROP, u);
    else
        fm_update_all(FM_RMSPROP_MOMENTUM, u);
}

static void update_adam(const fm_update *u) { fm_update_all(FM_ADAM, u); }
