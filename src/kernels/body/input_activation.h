/* Activations whose derivative needs the input, one pair for each FM_INPUT_ACTIVATION row.
 *
 * fm_<name>(z, constants) is the activation and fm_<name>_derivative(z, constants) its derivative at z. Far to the left they tend to 0, far
 * to the right to z; z is held where a factor has long reached its limit, because 0·∞ would be NaN. NaN passes through.
 */

typedef struct fm_constants {
    vf alpha, threshold, max_value;
} fm_constants;

FM_INLINE vf fm_held(vf z, float limit) { return v_max(v_set1(-limit), v_min(v_set1(limit), z)); }

/* 1, or NaN if z is. */
FM_INLINE vf fm_one(vf z) { return v_select(v_eq(z, z), v_set1(1.0f), z); }

/* z·Φ(z) (Hendrycks and Gimpel 2016, "Gaussian error linear units"); its derivative is Φ(z) + z·φ(z). */
FM_INLINE vf fm_gelu(vf z, fm_constants k) {
    (void)k;
    vf density;
    const vf cdf = v_normal(fm_held(z, 14.5f), &density);
    return v_mul(v_max(v_set1(-14.5f), z), cdf);
}
FM_INLINE vf fm_gelu_derivative(vf z, fm_constants k) {
    (void)k;
    vf density;
    const vf held = fm_held(z, 14.5f), cdf = v_normal(held, &density);
    return v_fma(v_mul(held, density), v_set1(0x1.988454p-2f), cdf);
}

/* ½z·(1 + tanh y) = z·sigmoid(2y), y = √(2/π)·(z + 0.044715·z³): the second form keeps its digits where the tanh is near −1. */
FM_INLINE vf fm_gelu_tanh(vf z, fm_constants k) {
    (void)k;
    const vf held = fm_held(z, 16.0f);
    const vf slope = v_fma(v_mul(held, held), v_set1(0x1.2444f2p-4f), v_set1(0x1.988454p+0f));
    return v_mul(v_max(v_set1(-16.0f), z), v_sigmoid(v_mul(held, slope)));
}
FM_INLINE vf fm_gelu_tanh_derivative(vf z, fm_constants k) {
    (void)k;
    const vf held = fm_held(z, 16.0f), square = v_mul(held, held);
    const vf slope = v_fma(square, v_set1(0x1.2444f2p-4f), v_set1(0x1.988454p+0f));
    const vf s = v_sigmoid(v_mul(held, slope));
    const vf dy = v_fma(square, v_set1(0x1.b6676cp-3f), v_set1(0x1.988454p+0f));
    return v_fma(v_mul(held, dy), v_fnma(s, s, s), s);
}

/* z·sigmoid(z) (Ramachandran et al. 2017, "Searching for activation functions"), also called swish. */
FM_INLINE vf fm_silu(vf z, fm_constants k) {
    (void)k;
    return v_mul(v_max(v_set1(-128.0f), z), v_sigmoid(fm_held(z, 128.0f)));
}
FM_INLINE vf fm_silu_derivative(vf z, fm_constants k) {
    (void)k;
    const vf held = fm_held(z, 128.0f), s = v_sigmoid(held);
    return v_fma(held, v_fnma(s, s, s), s);
}

/* z·tanh(softplus(z)) (Misra 2019, "Mish: a self regularized non-monotonic activation function"). With w = e^z that is z·n/(n + 2),
 * n = w² + 2w; for positive z, n and 2 are divided by w², so that all is written in e = e^−|z| ≤ 1. */
typedef struct fm_mish_parts {
    vf e, n, d, square; /* n/d = tanh(softplus(z)); square: e² for positive z, else 1 */
    vm negative;
} fm_mish_parts;
FM_INLINE fm_mish_parts fm_mish_split(vf z) {
    const vf two = v_set1(2.0f);
    fm_mish_parts p = {.e = v_exp_nonpositive(v_minus_abs(z)), .negative = v_lt(z, v_set1(0.0f))};
    p.square = v_select(p.negative, v_set1(1.0f), v_mul(p.e, p.e));
    p.n = v_select(p.negative, v_mul(p.e, v_add(p.e, two)), v_fma(two, p.e, v_set1(1.0f)));
    p.d = v_fma(two, p.square, p.n);
    return p;
}
FM_INLINE vf fm_mish(vf z, fm_constants k) {
    (void)k;
    const fm_mish_parts p = fm_mish_split(z);
    return v_mul(v_max(v_set1(-128.0f), z), v_div(p.n, p.d));
}
FM_INLINE vf fm_mish_derivative(vf z, fm_constants k) { /* n/d + z·4w(w + 1)/(w² + 2w + 2)² */
    (void)k;
    const fm_mish_parts p = fm_mish_split(z);
    const vf w = v_select(p.negative, p.e, p.square); /* w(w + 1) over what d² was divided by: this times 1 + e */
    const vf rise = v_mul(v_mul(fm_held(z, 128.0f), v_set1(4.0f)), v_fma(w, p.e, w));
    return v_div(v_add(p.n, v_div(rise, p.d)), p.d);
}

/* z·relu6(z + 3)/6 (Howard et al. 2019, "Searching for MobileNetV3"), also called hard swish. */
FM_INLINE vf fm_hard_silu(vf z, fm_constants k) { return v_mul(v_max(v_set1(-3.0f), z), fm_hard_sigmoid(z, k.alpha)); }
FM_INLINE vf fm_hard_silu_derivative(vf z, fm_constants k) {
    (void)k;
    const vf three = v_set1(3.0f), zero = v_set1(0.0f);
    const vf inside = v_fma(z, v_set1(0x1.555556p-2f), v_set1(0.5f));
    return v_select(v_le(three, z), v_set1(1.0f), v_select(v_le(z, v_set1(-3.0f)), zero, inside));
}

/* min(z, max_value) above the threshold, alpha·(z − threshold) up to it. */
FM_INLINE vf fm_general_relu(vf z, fm_constants k) {
    const vf low = v_select(v_eq(k.alpha, v_set1(0.0f)), v_max(v_set1(-0x1p126f), z), z); /* 0·∞ would be NaN */
    return v_select(v_lt(k.threshold, z), v_min(k.max_value, z), v_mul(k.alpha, v_sub(low, k.threshold)));
}
FM_INLINE vf fm_general_relu_derivative(vf z, fm_constants k) {
    return v_select(v_lt(k.threshold, z), v_select(v_lt(z, k.max_value), v_set1(1.0f), v_set1(0.0f)), k.alpha);
}

/* z outside ±threshold, 0 inside. */
FM_INLINE vf fm_hard_shrink(vf z, fm_constants k) { return v_select(v_le(v_magnitude(z), k.threshold), v_set1(0.0f), z); }
FM_INLINE vf fm_hard_shrink_derivative(vf z, fm_constants k) {
    return v_select(v_le(v_magnitude(z), k.threshold), v_set1(0.0f), fm_one(z));
}

/* What of z is outside ±threshold. */
FM_INLINE vf fm_soft_shrink(vf z, fm_constants k) { return v_sub(z, v_max(v_sub(v_set1(0.0f), k.threshold), v_min(k.threshold, z))); }
FM_INLINE vf fm_soft_shrink_derivative(vf z, fm_constants k) { return fm_hard_shrink_derivative(z, k); }

FM_INLINE vf fm_tanh_shrink(vf z, fm_constants k) {
    (void)k;
    return v_sub(z, v_tanh(z));
}
FM_INLINE vf fm_tanh_shrink_derivative(vf z, fm_constants k) {
    (void)k;
    const vf t = v_tanh(z);
    return v_mul(t, t);
}

/* z above the threshold, alpha up to it. */
FM_INLINE vf fm_threshold(vf z, fm_constants k) { return v_select(v_le(z, k.threshold), k.alpha, z); }
FM_INLINE vf fm_threshold_derivative(vf z, fm_constants k) { return v_select(v_le(z, k.threshold), v_set1(0.0f), fm_one(z)); }

/* ½·(z + √(z² + alpha)) (Barron 2021, "Squareplus: a softplus-like algebraic rectifier"), written as max(z, 0) + ½·alpha/(√(z² + alpha) + |z|),
 * which keeps its digits where z and the root nearly cancel. Its derivative is ½·alpha/(r·(r + |z|)) to the left, r the root, and 1 less
 * that to the right. */
FM_INLINE vf fm_squareplus_root(vf held, vf alpha) { return v_sqrt(v_fma(held, held, alpha)); }
FM_INLINE vf fm_squareplus(vf z, fm_constants k) {
    const vf held = fm_held(z, 0x1p62f), sum = v_add(fm_squareplus_root(held, k.alpha), v_magnitude(held));
    const vf rest = v_div(v_mul(v_set1(0.5f), k.alpha), v_max(v_set1(0x1p-62f), sum)); /* 0/0 for an alpha of 0 would be NaN */
    return v_add(v_max(v_set1(0.0f), z), rest);
}
FM_INLINE vf fm_squareplus_derivative(vf z, fm_constants k) {
    const vf held = fm_held(z, 0x1p62f), root = fm_squareplus_root(held, k.alpha);
    const vf product = v_mul(root, v_add(root, v_magnitude(held)));
    const vf rest = v_div(v_mul(v_set1(0.5f), k.alpha), v_max(v_set1(0x1p-62f), product));
    return v_select(v_lt(v_set1(0.0f), z), v_sub(v_set1(1.0f), rest), rest);
}

/* ½·(z + 1) between 0 and 1: the derivative of sparse_plus (Martins and Astudillo 2016, "From softmax to sparsemax", for two classes). */
FM_INLINE vf fm_sparse_sigmoid(vf z, fm_constants k) {
    (void)k;
    const vf one = v_set1(1.0f);
    return v_mul(v_set1(0.5f), v_add(fm_held(z, 1.0f), one));
}
FM_INLINE vf fm_sparse_sigmoid_derivative(vf z, fm_constants k) {
    (void)k;
    const vf one = v_set1(1.0f);
    return v_select(v_le(one, v_magnitude(z)), v_set1(0.0f), v_mul(v_set1(0.5f), fm_one(z)));
}

/* ¼·(z + 1)² between −1 and 1, 0 to the left and z to the right. */
FM_INLINE vf fm_sparse_plus(vf z, fm_constants k) {
    const vf half = fm_sparse_sigmoid(z, k);
    return v_select(v_lt(v_set1(1.0f), z), z, v_mul(half, half));
}
FM_INLINE vf fm_sparse_plus_derivative(vf z, fm_constants k) { return fm_sparse_sigmoid(z, k); }

/* v[i] = activation(v[i]) for i < count, a constant wherever this is inlined. */
FM_INLINE void fm_input_activation_block(int activation, fm_constants constants, vf *v, int count) {
    switch (activation) {
#define FM_INPUT_ACTIVATION(name)                                                                                                          \
    case FM_ACTIVATION_##name:                                                                                                             \
        for (int i = 0; i < count; i++)                                                                                                    \
            v[i] = fm_##name(v[i], constants);                                                                                             \
        break;
#include "../kernels.def"
    }
}

/* grad[i] *= activation'(z[i]) for i < count. */
FM_INLINE void fm_input_activation_backward_block(int activation, fm_constants constants, vf *grad, const vf *z, int count) {
    switch (activation) {
#define FM_INPUT_ACTIVATION(name)                                                                                                          \
    case FM_ACTIVATION_##name:                                                                                                             \
        for (int i = 0; i < count; i++)                                                                                                    \
            grad[i] = v_mul(grad[i], fm_##name##_derivative(z[i], constants));                                                             \
        break;
#include "../kernels.def"
    }
}
