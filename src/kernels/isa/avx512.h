/* AVX-512 F, DQ, BW and VL: sixteen lanes, comparisons in mask registers. The primitives that the bodies are written over. */
#include <immintrin.h>
#include <stdint.h>

#define V_LANES 16
#define FM_MR 12 /* MR × 32: 24 accumulators, 2 loads and broadcasts from memory fill the 32 registers */
#define FM_NR_PANELS 2

typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;

static inline vf v_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void v_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
static inline vf v_set1(float a) { return _mm512_set1_ps(a); }
static inline vf v_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf v_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf v_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf v_div(vf a, vf b) { return _mm512_div_ps(a, b); }
static inline vf v_sqrt(vf a) { return _mm512_sqrt_ps(a); }
static inline vf v_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }   /* a·b + c */
static inline vf v_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); } /* c − a·b */

/* √a with the bits of v_sqrt, computed without the divider, which is busy with the division that follows in the steps of most optimizers: a
 * Newton step from the 14 bits of an estimate, then one correction by the remainder a − s·s, which is exact (Markstein, "Computation of
 * elementary functions on the IBM RISC System/6000 processor", 1990). It needs a remainder that does not underflow, so vectors with any other
 * numbers than 0 and those from 2⁻¹⁰⁰ to 2¹²⁷ take v_sqrt. */
#define V_HAS_SQRT_BY_FMA
static inline vf v_sqrt_by_fma(vf a) {
    const __m512i above = _mm512_sub_epi32(_mm512_castps_si512(a), _mm512_set1_epi32((127 - 100) << 23));
    const vm usual = _mm512_cmplt_epu32_mask(above, _mm512_set1_epi32(227 << 23));
    if ((vm)(usual | _mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_EQ_OQ)) != 0xFFFF)
        return _mm512_sqrt_ps(a);
    const vf half = _mm512_set1_ps(0.5f), estimate = _mm512_rsqrt14_ps(a);
    vf root = _mm512_mul_ps(a, estimate), half_reciprocal = _mm512_mul_ps(half, estimate);
    const vf error = _mm512_fnmadd_ps(root, half_reciprocal, half);
    root = _mm512_fmadd_ps(root, error, root);
    half_reciprocal = _mm512_fmadd_ps(half_reciprocal, error, half_reciprocal);
    const vf remainder = _mm512_fnmadd_ps(root, root, a);
    return _mm512_maskz_mov_ps(usual, _mm512_fmadd_ps(remainder, half_reciprocal, root));
}

static inline vf v_max(vf a, vf b) { return _mm512_max_ps(a, b); } /* a > b ? a : b */
static inline vf v_min(vf a, vf b) { return _mm512_min_ps(a, b); } /* a < b ? a : b */

static inline vm v_lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline vm v_le(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
static inline vm v_eq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
static inline vf v_select(vm m, vf a, vf b) { return _mm512_mask_blend_ps(m, b, a); } /* m ? a : b */
static inline unsigned v_bits(vm m) { return m; } /* bit l is lane l */

static inline vi v_as_int(vf a) { return _mm512_castps_si512(a); }
static inline vf v_as_float(vi a) { return _mm512_castsi512_ps(a); }
static inline vi vi_set1(int32_t a) { return _mm512_set1_epi32(a); }
static inline vi vi_load(const int32_t *p) { return _mm512_loadu_si512(p); }
static inline vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
static inline vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
static inline vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
static inline vi vi_or(vi a, vi b) { return _mm512_or_si512(a, b); }
static inline vi vi_xor(vi a, vi b) { return _mm512_xor_si512(a, b); }
static inline vi vi_shl(vi a, int n) { return _mm512_slli_epi32(a, (unsigned)n); }
static inline vi vi_shr(vi a, int n) { return _mm512_srli_epi32(a, (unsigned)n); } /* logical */
static inline vi vi_sar(vi a, int n) { return _mm512_srai_epi32(a, (unsigned)n); } /* arithmetic */
static inline vi vi_mul(vi a, vi b) { return _mm512_mullo_epi32(a, b); }
static inline vi vi_mulhi(vi a, vi b) { /* high half of the unsigned product */
    const vi even = _mm512_srli_epi64(_mm512_mul_epu32(a, b), 32);
    const vi odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
    return _mm512_mask_blend_epi32(0xAAAA, even, odd);
}
static inline vf v_from_int(vi a) { return _mm512_cvtepi32_ps(a); }
static inline vf v_from_uint8(const uint8_t *p) { /* V_LANES bytes */
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

/* Compresses the lanes of x in `keep`, and their numbers counted from `first`, and stores whole vectors; returns their number. */
#define V_HAS_COMPRESS
static inline int v_compress(float *value, int32_t *index, vf x, unsigned keep, int32_t first) {
    const vi lanes = _mm512_add_epi32(_mm512_set1_epi32(first), _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    _mm512_storeu_ps(value, _mm512_maskz_compress_ps((__mmask16)keep, x));
    _mm512_storeu_si512(index, _mm512_maskz_compress_epi32((__mmask16)keep, lanes));
    return __builtin_popcount(keep);
}

/* Transposes a V_LANES × V_LANES block in place: 4 × 4 blocks of lanes first, then the blocks. */
static inline void v_transpose(vf r[V_LANES]) {
    vf t[16], u[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        u[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        u[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xEE);
        u[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        u[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
    }
    for (int i = 0; i < 4; i++) {
        const vf low = _mm512_shuffle_f32x4(u[i], u[i + 4], 0x88), low_odd = _mm512_shuffle_f32x4(u[i], u[i + 4], 0xDD);
        const vf high = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0x88), high_odd = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0xDD);
        r[i] = _mm512_shuffle_f32x4(low, high, 0x88);
        r[i + 4] = _mm512_shuffle_f32x4(low_odd, high_odd, 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(low, high, 0xDD);
        r[i + 12] = _mm512_shuffle_f32x4(low_odd, high_odd, 0xDD);
    }
}
