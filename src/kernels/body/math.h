/* exp, expm1, log, log1p, tanh and sigmoid over one vector, within 1.5 ULP of the exact value for every float32, and erf within 2.
 *
 * Only correctly rounded operations and fused multiply-adds, in a fixed order, so every ISA gives the same bits. Denormal inputs and
 * results count as zero: the edge is a comparison written out here, never the hardware's own flush, because processors differ in whether
 * they look for an underflow before or after rounding. NaN in, NaN out.
 *
 * The polynomials are minimax fits to the function's relative error (Lawson's iteration: least squares reweighted until the errors level),
 * computed in 40 digits, each coefficient rounded to float32 before the following ones were fitted again. "Fit error" is what is left
 * after that rounding, relative to the function; half a unit in the last place is 3·10⁻⁸ to 6·10⁻⁸.
 */

#define V_INFINITY v_as_float(vi_set1(0x7F800000))
#define V_NAN v_as_float(vi_set1(0x7FC00000))
#define V_SIGN vi_set1((int32_t)0x80000000u)

/* Adding this to |x| < 2²² rounds x to an integer, which is then in the low bits of the sum. */
#define V_ROUNDER v_set1(0x1.8p23f)

/* The r of e^x = 2^n·e^r with n = round(x / log 2) and |r| ≤ log 2 / 2. The integer n stands in the low bits of *n_bits.
 * x − n·(log 2 as a float) is exact in float32 wherever e^x is a normal number, so what is lost is the rounding of the second step. */
FM_INLINE vf v_exp_rest(vf x, vi *n_bits) {
    const vf sum = v_fma(x, v_set1(0x1.715476p+0f), V_ROUNDER);
    const vf n = v_sub(sum, V_ROUNDER);
    vf r = v_fnma(n, v_set1(0x1.62e430p-1f), x);
    r = v_fnma(n, v_set1(-0x1.05c610p-29f), r);
    *n_bits = v_as_int(sum);
    return r;
}

/* The q of e^r = 1 + r + r²·q. */
FM_INLINE vf v_exp_series(vf r) {
    vf q = v_set1(0x1.6a5134p-10f); /* fit error 3.1e-9 */
    q = v_fma(q, r, v_set1(0x1.12397cp-7f));
    q = v_fma(q, r, v_set1(0x1.5558acp-5f));
    q = v_fma(q, r, v_set1(0x1.555492p-3f));
    return v_fma(q, r, v_set1(0x1.fffffcp-2f));
}

/* e^r, and n. */
FM_INLINE vf v_exp_reduced(vf x, vi *n_bits) {
    const vf r = v_exp_rest(x, n_bits);
    const vf p = v_fma(v_exp_series(r), r, v_set1(1.0f));
    return v_fma(p, r, v_set1(1.0f));
}

/* 2^n·p for a p near 1 and an n that leaves the product normal; n in the low bits of n_bits. */
FM_INLINE vf v_scale(vf p, vi n_bits) { return v_as_float(vi_add(v_as_int(p), vi_shl(n_bits, 23))); }

/* e^x < 2⁻¹²⁶ below the first, and overflows above the second. */
#define V_EXP_MIN v_set1(-0x1.5d589ep+6f)
#define V_EXP_MAX v_set1(0x1.62e42ep+6f)

FM_INLINE vf v_exp(vf x) {
    vi n;
    const vf p = v_exp_reduced(x, &n);
    const vf flushed = v_select(v_lt(x, V_EXP_MIN), v_set1(0.0f), v_scale(p, n));
    return v_select(v_le(x, V_EXP_MAX), flushed, v_add(x, V_INFINITY)); /* else: +inf, or NaN */
}

/* v_exp for x ≤ 0 or NaN, the same bits for less work. */
FM_INLINE vf v_exp_nonpositive(vf x) {
    vi n;
    const vf p = v_exp_reduced(x, &n);
    return v_select(v_le(V_EXP_MIN, x), v_scale(p, n), v_max(v_set1(0.0f), x)); /* else: 0, or NaN */
}

/* e^x − 1 for x ≤ 0 or NaN: 2^n·(e^r − 1) + (2^n − 1), where the second term is exact and nothing cancels. */
FM_INLINE vf v_expm1_nonpositive(vf x) {
    vi n;
    const vf r = v_exp_rest(v_max(v_set1(-40.0f), x), &n); /* −1 long before that */
    const vf p = v_fma(v_mul(r, r), v_exp_series(r), r);
    const vf scale = v_scale(v_set1(1.0f), n);
    const vf y = v_fma(scale, p, v_sub(scale, v_set1(1.0f)));
    return v_select(v_lt(x, v_set1(-0x1p-25f)), y, x); /* else x itself, its sign and NaN included */
}

/* k·log 2 + log(1 + f) for an integer k and √½ ≤ 1 + f ≤ √2. */
FM_INLINE vf v_log_reduced(vf k, vf f) {
    vf q = v_set1(-0x1.385088p-4f); /* fit error 4.2e-9 */
    q = v_fma(q, f, v_set1(0x1.087d82p-3f));
    q = v_fma(q, f, v_set1(-0x1.0f4cb6p-3f));
    q = v_fma(q, f, v_set1(0x1.226b34p-3f));
    q = v_fma(q, f, v_set1(-0x1.542422p-3f));
    q = v_fma(q, f, v_set1(0x1.99a428p-3f));
    q = v_fma(q, f, v_set1(-0x1.000438p-2f));
    q = v_fma(q, f, v_set1(0x1.555550p-2f));
    q = v_fma(q, f, v_set1(-0x1.fffff8p-2f));
    const vf small = v_fma(v_mul(f, f), q, v_mul(k, v_set1(-0x1.05c610p-29f)));
    return v_fma(k, v_set1(0x1.62e430p-1f), v_add(f, small));
}

FM_INLINE vf v_log(vf x) {
    const vi root_half = vi_set1(0x3F3504F3);
    const vi bits = vi_sub(v_as_int(x), root_half); /* so that the exponent counts from √½ */
    const vf m = v_as_float(vi_add(vi_and(bits, vi_set1(0x007FFFFF)), root_half));
    const vf y = v_log_reduced(v_from_int(vi_sar(bits, 23)), v_sub(m, v_set1(1.0f)));
    /* Not a positive normal number: log 0 = −inf, below zero NaN, and inf and NaN are their own logarithms. */
    const vf min = v_set1(0x1p-126f);
    const vf low = v_select(v_le(x, v_set1(-0x1p-126f)), V_NAN, v_as_float(vi_set1((int32_t)0xFF800000u)));
    const vf finite = v_select(v_lt(x, min), low, y);
    return v_select(v_lt(x, V_INFINITY), finite, x);
}

/* x to a power: by squaring for its integer part, which is exact, and by exp and log for the rest. Powers ≥ 0; 0⁰ is 1. */
FM_INLINE vf v_power(vf x, float power) {
    vf result = v_set1(1.0f), square = x;
    const int whole = (int)power;
    for (int n = whole; n; n /= 2, square = v_mul(square, square))
        if (n % 2)
            result = v_mul(result, square);
    const float rest = power - (float)whole;
    return rest == 0.0f ? result : v_mul(result, v_exp(v_mul(v_set1(rest), v_log(x))));
}

/* log(1 + x) for 0 ≤ x ≤ 1 or NaN. */
FM_INLINE vf v_log1p(vf x) {
    const vm small = v_le(x, v_set1(0x1.a82798p-2f)); /* √2 − 1 */
    const vf half = v_set1(0.5f);
    return v_log_reduced(v_select(small, v_set1(0.0f), v_set1(1.0f)), v_select(small, x, v_fma(x, half, v_set1(-0.5f))));
}

FM_INLINE vf v_minus_abs(vf x) { return v_as_float(vi_or(v_as_int(x), V_SIGN)); }
FM_INLINE vf v_magnitude(vf x) { return v_max(x, v_sub(v_set1(0.0f), x)); }

/* sigmoid(x), given e = exp(−|x|): e/(1 + e), or for positive x one minus that. What the quotient and its denominator lost to rounding is
 * put back, 1/(1 + e) = 1 − e/(1 + e) being at hand for it; e's own error is then nearly all there is. */
FM_INLINE vf v_sigmoid_from_exp(vf x, vf e) {
    const vf one = v_set1(1.0f);
    const vf d = v_add(one, e);
    const vf q = v_div(e, d);
    const vf d_lost = v_sub(e, v_sub(d, one));
    const vf lost = v_fnma(q, d_lost, v_fnma(q, d, e));
    const vf y = v_fma(lost, v_sub(one, q), q);
    return v_select(v_lt(x, v_set1(0.0f)), y, v_sub(one, y));
}

FM_INLINE vf v_sigmoid(vf x) { return v_sigmoid_from_exp(x, v_exp_nonpositive(v_minus_abs(x))); }

/* An odd polynomial for a = |x| up to 0.7; above, 1 − 2/(1 + e^2a), where the quotient is at most two thirds of the result and so are its
 * errors. From 10 on that is 1. e^2a is v_exp_reduced with the 2 moved into the constants; the low part of log 2 is too small to matter. */
FM_INLINE vf v_tanh(vf x) {
    const vf one = v_set1(1.0f), edge = v_set1(0.7f);
    const vi sign = vi_and(v_as_int(x), V_SIGN);
    const vf a = v_as_float(vi_xor(v_as_int(x), sign));

    const vf z = v_mul(a, a);
    vf q = v_set1(-0x1.50e2aap-8f); /* fit error 1.5e-8 */
    q = v_fma(q, z, v_set1(0x1.4939c0p-6f));
    q = v_fma(q, z, v_set1(-0x1.b6c362p-5f));
    q = v_fma(q, z, v_set1(0x1.10fb0ap-3f));
    q = v_fma(q, z, v_set1(-0x1.5554f6p-2f));
    const vf small = v_fma(v_mul(z, q), a, a);

    const vf clamped = v_min(v_set1(10.0f), a);
    const vf sum = v_fma(clamped, v_set1(0x1.715476p+1f), V_ROUNDER);
    const vf n = v_sub(sum, V_ROUNDER);
    const vf r = v_fnma(n, v_set1(0x1.62e430p-2f), clamped);
    vf p = v_set1(0x1.6a5134p-4f);
    p = v_fma(p, r, v_set1(0x1.12397cp-2f));
    p = v_fma(p, r, v_set1(0x1.5558acp-1f));
    p = v_fma(p, r, v_set1(0x1.555492p-0f));
    p = v_fma(p, r, v_set1(0x1.fffffcp-0f));
    p = v_fma(p, r, v_set1(2.0f));
    p = v_fma(p, r, one);
    const vf large = v_sub(one, v_div(v_set1(2.0f), v_add(one, v_scale(p, v_as_int(sum)))));

    const vf y = v_select(v_lt(edge, a), large, small); /* NaN takes the small side, which keeps it */
    return v_as_float(vi_or(v_as_int(y), sign));
}

/* log(1 + e^x): above 0 it is x and a small rest, below 0 all of it is the rest. */
FM_INLINE vf v_softplus(vf x) { return v_add(v_max(v_set1(0.0f), x), v_log1p(v_exp_nonpositive(v_minus_abs(x)))); }

/* erf(x) for |x| ≤ 1. */
FM_INLINE vf v_erf_small(vf x) {
    const vf z = v_mul(x, x);
    vf q = v_set1(0x1.4771fcp-14f); /* fit error 1.4e-9 */
    q = v_fma(q, z, v_set1(-0x1.a3515ep-11f));
    q = v_fma(q, z, v_set1(0x1.53f224p-8f));
    q = v_fma(q, z, v_set1(-0x1.b7f71ap-6f));
    q = v_fma(q, z, v_set1(0x1.ce2ce6p-4f));
    q = v_fma(q, z, v_set1(-0x1.81273ep-2f));
    q = v_fma(q, z, v_set1(0x1.06eba8p-3f));
    return v_fma(x, q, x);
}

/* e^(u²)·erfc(u) for ½ ≤ u ≤ 10.3: t times a polynomial in t = 1/(u + 2). */
FM_INLINE vf v_erfc_scaled(vf u) {
    const vf t = v_div(v_set1(1.0f), v_add(u, v_set1(2.0f)));
    vf q = v_set1(-0x1.f3899ep+4f); /* fit error 9.3e-9 */
    q = v_fma(q, t, v_set1(0x1.2e5e2ep+6f));
    q = v_fma(q, t, v_set1(-0x1.055836p+6f));
    q = v_fma(q, t, v_set1(0x1.37b780p+4f));
    q = v_fma(q, t, v_set1(-0x1.67c980p+0f));
    q = v_fma(q, t, v_set1(0x1.acf908p+1f));
    q = v_fma(q, t, v_set1(0x1.eeb43ep+0f));
    q = v_fma(q, t, v_set1(0x1.2158a6p+0f));
    q = v_fma(q, t, v_set1(0x1.20d8c6p-1f));
    return v_mul(q, t);
}

/* e^(−x²·half) for half = ½ or 1 and |x| < 2⁶³. A large square loses more to rounding than its exponential can bear, so that is put back. */
FM_INLINE vf v_exp_minus_square(vf x, vf half) {
    const vf s = v_mul(x, x);
    const vf lost = v_fnma(x, x, s);
    const vf e = v_exp_nonpositive(v_fnma(s, half, v_set1(0.0f)));
    return v_fma(e, v_mul(lost, half), e);
}

FM_INLINE vf v_erf(vf x) {
    const vf one = v_set1(1.0f);
    const vi sign = vi_and(v_as_int(x), V_SIGN);
    const vf a = v_as_float(vi_xor(v_as_int(x), sign));
    const vf clamped = v_min(v_set1(10.0f), a);
    const vf large = v_fnma(v_exp_minus_square(clamped, one), v_erfc_scaled(clamped), one);
    const vf small = v_select(v_lt(a, v_set1(0x1p-126f)), a, v_erf_small(a)); /* a denormal becomes no normal number */
    const vf y = v_select(v_lt(one, a), large, small);
    return v_as_float(vi_or(v_as_int(y), sign));
}

/* The normal distribution function Φ(x), small for negative x without cancelling; *density becomes e^(−x²/2). For |x| ≤ 14.5, where both
 * have vanished, or NaN. */
FM_INLINE vf v_normal(vf x, vf *density) {
    const vf half = v_set1(0.5f);
    const vf a = v_as_float(vi_xor(v_as_int(x), vi_and(v_as_int(x), V_SIGN)));
    const vf e = v_exp_minus_square(x, half);
    const vf u = v_mul(a, v_set1(0x1.6a09e6p-1f));
    const vf tail = v_mul(v_mul(half, e), v_erfc_scaled(u));
    const vf center = v_fma(half, v_erf_small(v_mul(x, v_set1(0x1.6a09e6p-1f))), half);
    *density = e;
    return v_select(v_lt(u, half), center, v_select(v_lt(x, v_set1(0.0f)), tail, v_sub(v_set1(1.0f), tail)));
}

/* 1, −1, or a itself if it is zero or NaN. */
FM_INLINE vf v_sign(vf a) {
    const vf zero = v_set1(0.0f), one = v_set1(1.0f);
    return v_select(v_lt(zero, a), one, v_select(v_lt(a, zero), v_sub(zero, one), a));
}
