/* NEON (AArch64): four lanes. The primitives that the bodies are written over. */
#include <arm_neon.h>
#include <stdint.h>

#define V_LANES 4
#define FM_MR 6 /* MR × 16: 24 accumulators, 4 loads and a broadcast fit the 32 registers */
#define FM_NR_PANELS 1

typedef float32x4_t vf;
typedef uint32x4_t vi;
typedef uint32x4_t vm;

static inline vf v_load(const float *p) { return vld1q_f32(p); }
static inline void v_store(float *p, vf a) { vst1q_f32(p, a); }
static inline vf v_set1(float a) { return vdupq_n_f32(a); }
static inline vf v_add(vf a, vf b) { return vaddq_f32(a, b); }
static inline vf v_sub(vf a, vf b) { return vsubq_f32(a, b); }
static inline vf v_mul(vf a, vf b) { return vmulq_f32(a, b); }
static inline vf v_div(vf a, vf b) { return vdivq_f32(a, b); }
static inline vf v_sqrt(vf a) { return vsqrtq_f32(a); }
static inline vf v_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }  /* a·b + c */
static inline vf v_fnma(vf a, vf b, vf c) { return vfmsq_f32(c, a, b); } /* c − a·b */

static inline vm v_lt(vf a, vf b) { return vcltq_f32(a, b); }
static inline vm v_le(vf a, vf b) { return vcleq_f32(a, b); }
static inline vm v_eq(vf a, vf b) { return vceqq_f32(a, b); }
static inline vf v_select(vm m, vf a, vf b) { return vbslq_f32(m, a, b); } /* m ? a : b */
static inline unsigned v_bits(vm m) {                                      /* bit l is lane l */
    const uint32x4_t weights = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(m, weights));
}
static inline vf v_max(vf a, vf b) { return v_select(v_lt(b, a), a, b); } /* a > b ? a : b, NaN as on x86 */
static inline vf v_min(vf a, vf b) { return v_select(v_lt(a, b), a, b); } /* a < b ? a : b */

static inline vi v_as_int(vf a) { return vreinterpretq_u32_f32(a); }
static inline vf v_as_float(vi a) { return vreinterpretq_f32_u32(a); }
static inline vi vi_set1(int32_t a) { return vdupq_n_u32((uint32_t)a); }
static inline vi vi_load(const int32_t *p) { return vreinterpretq_u32_s32(vld1q_s32(p)); }
static inline vi vi_add(vi a, vi b) { return vaddq_u32(a, b); }
static inline vi vi_sub(vi a, vi b) { return vsubq_u32(a, b); }
static inline vi vi_and(vi a, vi b) { return vandq_u32(a, b); }
static inline vi vi_or(vi a, vi b) { return vorrq_u32(a, b); }
static inline vi vi_xor(vi a, vi b) { return veorq_u32(a, b); }
static inline vi vi_shl(vi a, int n) { return vshlq_u32(a, vdupq_n_s32(n)); }
static inline vi vi_shr(vi a, int n) { return vshlq_u32(a, vdupq_n_s32(-n)); } /* logical */
static inline vi vi_sar(vi a, int n) {                                         /* arithmetic */
    return vreinterpretq_u32_s32(vshlq_s32(vreinterpretq_s32_u32(a), vdupq_n_s32(-n)));
}
static inline vi vi_mul(vi a, vi b) { return vmulq_u32(a, b); }
static inline vi vi_mulhi(vi a, vi b) { /* high half of the unsigned product */
    const uint64x2_t low = vmull_u32(vget_low_u32(a), vget_low_u32(b)), high = vmull_high_u32(a, b);
    return vuzp2q_u32(vreinterpretq_u32_u64(low), vreinterpretq_u32_u64(high));
}
static inline vf v_from_int(vi a) { return vcvtq_f32_s32(vreinterpretq_s32_u32(a)); }
static inline vf v_from_uint8(const uint8_t *p) { /* V_LANES bytes */
    const uint32x4_t wide = {p[0], p[1], p[2], p[3]};
    return vcvtq_f32_u32(wide);
}

/* Transposes a V_LANES × V_LANES block in place. */
static inline void v_transpose(vf r[V_LANES]) {
    const float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(r[0], r[1])), b = vreinterpretq_f64_f32(vtrn2q_f32(r[0], r[1]));
    const float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(r[2], r[3])), d = vreinterpretq_f64_f32(vtrn2q_f32(r[2], r[3]));
    r[0] = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
    r[1] = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
    r[2] = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
    r[3] = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
}
