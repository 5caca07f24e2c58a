/* Activations and their derivatives, one pair for each FM_ACTIVATION row, and the two blocks that other bodies inline into their loops.
 *
 * fm_<name>(z, alpha) is the activation; fm_<name>_derivative(a, alpha) its derivative at the z whose activation is a, so a backward pass
 * needs no stored z. NaN passes through every activation. Softmax is no elementwise function: see elementwise_body.h.
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
    return v_max(v_set1(0.0f), z); /* in this order: v_max gives its second argument when they do not compare, so NaN stays NaN */
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

/* v[i] = activation(v[i]) for i < count, a constant wherever this is inlined: one branch, then straight code. */
FM_INLINE void fm_activate_block(int activation, float alpha, vf *v, int count) {
    const vf slope = v_set1(alpha);
    switch (activation) {
#define FM_ACTIVATION(name)                                                                                                                \
    case FM_ACTIVATION_##name:                                                                                                             \
        for (int i = 0; i < count; i++)                                                                                                    \
            v[i] = fm_##name(v[i], slope);                                                                                                 \
        break;
#include "isa.inc"
    }
}

/* grad[i] *= activation'(z) where a[i] = activation(z), for i < count. */
FM_INLINE void fm_derive_block(int activation, float alpha, vf *grad, const vf *a, int count) {
    const vf slope = v_set1(alpha);
    switch (activation) {
#define FM_ACTIVATION(name)                                                                                                                \
    case FM_ACTIVATION_##name:                                                                                                             \
        for (int i = 0; i < count; i++)                                                                                                    \
            grad[i] = v_mul(grad[i], fm_##name##_derivative(a[i], slope));                                                                 \
        break;
#include "isa.inc"
    }
}
