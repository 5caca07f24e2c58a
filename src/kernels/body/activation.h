/* Activations and their derivatives, one pair for each FM_ACTIVATION row, and the blocks that other bodies inline into their loops.
 *
 * fm_<name>(z, alpha) is the activation; fm_<name>_derivative(a, alpha) its derivative at the z whose activation is a, so that backward
 * needs no stored z. If the derivative is not a function of a, the row is an FM_INPUT_ACTIVATION, in input_activation.h.
 *
 * At a kink the derivative is that of the left side, and 0 where an upper limit begins. NaN passes through every activation.
 */

FM_INLINE vf fm_linear(vf z, vf alpha) {
    (void)alpha;
    return z;
}
FM_INLINE vf fm_linear_derivative(vf a, vf alpha) {
    (void)a, (void)alpha;
    return v_set1(1.0f);
}

FM_INLINE vf fm_relu(vf z, vf alpha) {
    (void)alpha;
    return v_max(v_set1(0.0f), z); /* in this order: v_max returns its second argument if one is NaN, so NaN stays NaN */
}
FM_INLINE vf fm_relu_derivative(vf a, vf alpha) {
    (void)alpha;
    return v_select(v_lt(v_set1(0.0f), a), v_set1(1.0f), v_set1(0.0f));
}

FM_INLINE vf fm_leaky_relu(vf z, vf alpha) { return v_select(v_lt(v_set1(0.0f), z), z, v_mul(alpha, z)); }
FM_INLINE vf fm_leaky_relu_derivative(vf a, vf alpha) { return v_select(v_lt(v_set1(0.0f), a), v_set1(1.0f), alpha); }

FM_INLINE vf fm_sigmoid(vf z, vf alpha) {
    (void)alpha;
    return v_sigmoid(z);
}
FM_INLINE vf fm_sigmoid_derivative(vf a, vf alpha) {
    (void)alpha;
    return v_fnma(a, a, a); /* a·(1 − a), rounded once */
}

FM_INLINE vf fm_tanh(vf z, vf alpha) {
    (void)alpha;
    return v_tanh(z);
}
FM_INLINE vf fm_tanh_derivative(vf a, vf alpha) {
    (void)alpha;
    return v_fnma(a, a, v_set1(1.0f)); /* 1 − a², rounded once */
}

FM_INLINE vf fm_relu6(vf z, vf alpha) {
    (void)alpha;
    return v_min(v_set1(6.0f), v_max(v_set1(0.0f), z));
}
FM_INLINE vf fm_relu6_derivative(vf a, vf alpha) {
    (void)alpha;
    return v_select(v_lt(v_set1(0.0f), a), v_select(v_lt(a, v_set1(6.0f)), v_set1(1.0f), v_set1(0.0f)), v_set1(0.0f));
}

FM_INLINE vf fm_elu(vf z, vf alpha) { return v_select(v_lt(v_set1(0.0f), z), z, v_mul(alpha, v_expm1_nonpositive(z))); }
FM_INLINE vf fm_elu_derivative(vf a, vf alpha) { return v_select(v_lt(v_set1(0.0f), a), v_set1(1.0f), v_add(a, alpha)); }

/* scale and scale·alpha of Klambauer et al. 2017, "Self-normalizing neural networks". */
#define V_SELU_SCALE v_set1(0x1.0cfabep+0f)
#define V_SELU_ALPHA v_set1(0x1.c212ccp+0f)
FM_INLINE vf fm_selu(vf z, vf alpha) {
    (void)alpha;
    return v_select(v_lt(v_set1(0.0f), z), v_mul(V_SELU_SCALE, z), v_mul(V_SELU_ALPHA, v_expm1_nonpositive(z)));
}
FM_INLINE vf fm_selu_derivative(vf a, vf alpha) {
    (void)alpha;
    return v_select(v_lt(v_set1(0.0f), a), V_SELU_SCALE, v_add(a, V_SELU_ALPHA));
}

FM_INLINE vf fm_celu(vf z, vf alpha) { return v_select(v_lt(v_set1(0.0f), z), z, v_mul(alpha, v_expm1_nonpositive(v_div(z, alpha)))); }
FM_INLINE vf fm_celu_derivative(vf a, vf alpha) {
    return v_select(v_lt(v_set1(0.0f), a), v_set1(1.0f), v_add(v_div(a, alpha), v_set1(1.0f)));
}

FM_INLINE vf fm_softplus(vf z, vf alpha) {
    (void)alpha;
    return v_softplus(z);
}
FM_INLINE vf fm_softplus_derivative(vf a, vf alpha) { /* sigmoid(z) = 1 − e^−a */
    (void)alpha;
    return v_sub(v_set1(0.0f), v_expm1_nonpositive(v_sub(v_set1(0.0f), a)));
}

FM_INLINE vf fm_softsign(vf z, vf alpha) {
    (void)alpha;
    const vf limited = v_max(v_set1(-0x1p127f), v_min(v_set1(0x1p127f), z)); /* ∞/∞ would be NaN */
    return v_div(limited, v_sub(v_set1(1.0f), v_minus_abs(limited)));
}
FM_INLINE vf fm_softsign_derivative(vf a, vf alpha) { /* 1/(1 + |z|) = 1 − |a| */
    (void)alpha;
    const vf rest = v_add(v_set1(1.0f), v_minus_abs(a));
    return v_mul(rest, rest);
}

FM_INLINE vf fm_exponential(vf z, vf alpha) {
    (void)alpha;
    return v_exp(z);
}
FM_INLINE vf fm_exponential_derivative(vf a, vf alpha) {
    (void)alpha;
    return a;
}

FM_INLINE vf fm_log_sigmoid(vf z, vf alpha) {
    (void)alpha;
    const vf zero = v_set1(0.0f);
    return v_sub(zero, v_softplus(v_sub(zero, z)));
}
FM_INLINE vf fm_log_sigmoid_derivative(vf a, vf alpha) { /* 1 − sigmoid(z) = 1 − e^a */
    (void)alpha;
    return v_sub(v_set1(0.0f), v_expm1_nonpositive(a));
}

FM_INLINE vf fm_hard_sigmoid(vf z, vf alpha) { return v_div(fm_relu6(v_add(z, v_set1(3.0f)), alpha), v_set1(6.0f)); }
FM_INLINE vf fm_hard_sigmoid_derivative(vf a, vf alpha) {
    (void)alpha;
    const vf zero = v_set1(0.0f);
    return v_select(v_lt(zero, a), v_select(v_lt(a, v_set1(1.0f)), v_set1(0x1.555556p-3f), zero), zero);
}

FM_INLINE vf fm_hard_tanh(vf z, vf alpha) {
    (void)alpha;
    return v_min(v_set1(1.0f), v_max(v_set1(-1.0f), z));
}
FM_INLINE vf fm_hard_tanh_derivative(vf a, vf alpha) {
    (void)alpha;
    return v_select(v_lt(v_set1(-1.0f), v_minus_abs(a)), v_set1(1.0f), v_set1(0.0f));
}

/* v[i] = activation(v[i]) for i < count, which is constant wherever this is inlined: one branch, then straight-line code. */
FM_INLINE void fm_activation_block(int activation, float alpha, vf *v, int count) {
    const vf slope = v_set1(alpha);
    switch (activation) {
#define FM_ACTIVATION(name)                                                                                                                \
    case FM_ACTIVATION_##name:                                                                                                             \
        for (int i = 0; i < count; i++)                                                                                                    \
            v[i] = fm_##name(v[i], slope);                                                                                                 \
        break;
#include "../kernels.def"
    }
}

/* grad[i] *= activation'(z) where a[i] = activation(z), for i < count. */
FM_INLINE void fm_activation_backward_block(int activation, float alpha, vf *grad, const vf *a, int count) {
    const vf slope = v_set1(alpha);
    switch (activation) {
#define FM_ACTIVATION(name)                                                                                                                \
    case FM_ACTIVATION_##name:                                                                                                             \
        for (int i = 0; i < count; i++)                                                                                                    \
            grad[i] = v_mul(grad[i], fm_##name##_derivative(a[i], slope));                                                                 \
        break;
#include "../kernels.def"
    }
}
