/* Portable C11: four lanes in a struct, every multiply-add through fmaf. Works everywhere; the other ISAs produce the same bits. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#ifndef V_LANES /* tests/kernels compiles this file again, with the vector width and MR × NR of another ISA */
#define V_LANES 4
#define FM_MR 2 /* small, because nothing here stays in vector registers and larger ones only grow the code */
#define FM_NR_PANELS 1
#endif

typedef struct {
    float lane[V_LANES];
} vf;
typedef struct {
    uint32_t lane[V_LANES];
} vi;
typedef struct {
    uint32_t lane[V_LANES]; /* 0 or 1 */
} vm;

#define V_EACH for (int l = 0; l < V_LANES; l++)

static inline vf v_load(const float *p) {
    vf r;
    memcpy(&r, p, sizeof r);
    return r;
}
static inline void v_store(float *p, vf a) { memcpy(p, &a, sizeof a); }
static inline vf v_set1(float a) {
    vf r;
    V_EACH r.lane[l] = a;
    return r;
}
static inline vf v_add(vf a, vf b) {
    V_EACH a.lane[l] += b.lane[l];
    return a;
}
static inline vf v_sub(vf a, vf b) {
    V_EACH a.lane[l] -= b.lane[l];
    return a;
}
static inline vf v_mul(vf a, vf b) {
    V_EACH a.lane[l] *= b.lane[l];
    return a;
}
static inline vf v_div(vf a, vf b) {
    V_EACH a.lane[l] /= b.lane[l];
    return a;
}
static inline vf v_sqrt(vf a) {
    V_EACH a.lane[l] = sqrtf(a.lane[l]);
    return a;
}
static inline vf v_fma(vf a, vf b, vf c) {
    V_EACH c.lane[l] = fmaf(a.lane[l], b.lane[l], c.lane[l]);
    return c;
}
static inline vf v_fnma(vf a, vf b, vf c) {
    V_EACH c.lane[l] = fmaf(-a.lane[l], b.lane[l], c.lane[l]);
    return c;
}
static inline vf v_max(vf a, vf b) {
    V_EACH a.lane[l] = a.lane[l] > b.lane[l] ? a.lane[l] : b.lane[l];
    return a;
}
static inline vf v_min(vf a, vf b) {
    V_EACH a.lane[l] = a.lane[l] < b.lane[l] ? a.lane[l] : b.lane[l];
    return a;
}

static inline vm v_lt(vf a, vf b) {
    vm m;
    V_EACH m.lane[l] = a.lane[l] < b.lane[l];
    return m;
}
static inline vm v_le(vf a, vf b) {
    vm m;
    V_EACH m.lane[l] = a.lane[l] <= b.lane[l];
    return m;
}
static inline vm v_eq(vf a, vf b) {
    vm m;
    V_EACH m.lane[l] = a.lane[l] == b.lane[l];
    return m;
}
static inline vf v_select(vm m, vf a, vf b) {
    V_EACH b.lane[l] = m.lane[l] ? a.lane[l] : b.lane[l];
    return b;
}
static inline unsigned v_bits(vm m) {
    unsigned bits = 0;
    V_EACH bits |= m.lane[l] << l;
    return bits;
}

static inline vi v_as_int(vf a) {
    vi r;
    memcpy(&r, &a, sizeof r);
    return r;
}
static inline vf v_as_float(vi a) {
    vf r;
    memcpy(&r, &a, sizeof r);
    return r;
}
static inline vi vi_set1(int32_t a) {
    vi r;
    V_EACH r.lane[l] = (uint32_t)a;
    return r;
}
static inline vi vi_load(const int32_t *p) {
    vi r;
    memcpy(&r, p, sizeof r);
    return r;
}
static inline vi vi_add(vi a, vi b) {
    V_EACH a.lane[l] += b.lane[l];
    return a;
}
static inline vi vi_sub(vi a, vi b) {
    V_EACH a.lane[l] -= b.lane[l];
    return a;
}
static inline vi vi_and(vi a, vi b) {
    V_EACH a.lane[l] &= b.lane[l];
    return a;
}
static inline vi vi_or(vi a, vi b) {
    V_EACH a.lane[l] |= b.lane[l];
    return a;
}
static inline vi vi_xor(vi a, vi b) {
    V_EACH a.lane[l] ^= b.lane[l];
    return a;
}
static inline vi vi_shl(vi a, int n) {
    V_EACH a.lane[l] <<= n;
    return a;
}
static inline vi vi_shr(vi a, int n) {
    V_EACH a.lane[l] >>= n;
    return a;
}
static inline vi vi_sar(vi a, int n) { /* arithmetic, without shifting a negative number */
    V_EACH a.lane[l] = (a.lane[l] >> n) | (a.lane[l] >> 31 ? ~(UINT32_MAX >> n) : 0);
    return a;
}
static inline vi vi_mul(vi a, vi b) {
    V_EACH a.lane[l] *= b.lane[l];
    return a;
}
static inline vi vi_mulhi(vi a, vi b) {
    V_EACH a.lane[l] = (uint32_t)(((uint64_t)a.lane[l] * b.lane[l]) >> 32);
    return a;
}
static inline vf v_from_int(vi a) {
    vf r;
    V_EACH r.lane[l] = (float)(int32_t)a.lane[l];
    return r;
}
static inline vf v_from_uint8(const uint8_t *p) {
    vf r;
    V_EACH r.lane[l] = (float)p[l];
    return r;
}

static inline void v_transpose(vf r[V_LANES]) {
    for (int i = 0; i < V_LANES; i++)
        for (int j = 0; j < i; j++) {
            const float t = r[i].lane[j];
            r[i].lane[j] = r[j].lane[i];
            r[j].lane[i] = t;
        }
}
