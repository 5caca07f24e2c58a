/* Philox4x32-10, a counter-based generator: four random words for every counter, without state.
 *
 * Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11. Shared by the engine (shuffling) and the dropout
 * kernels, which compute the same rounds on vectors.
 */
#ifndef FASTMLP_PHILOX_H
#define FASTMLP_PHILOX_H

#include <stdint.h>

#define FM_PHILOX_ROUNDS 10
#define FM_PHILOX_M0 0xD2511F53u
#define FM_PHILOX_M1 0xCD9E8D57u
#define FM_PHILOX_W0 0x9E3779B9u
#define FM_PHILOX_W1 0xBB67AE85u

static inline void fm_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t a = counter[0], b = counter[1], c = counter[2], d = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < FM_PHILOX_ROUNDS; round++, k0 += FM_PHILOX_W0, k1 += FM_PHILOX_W1) {
        const uint64_t p = (uint64_t)FM_PHILOX_M0 * a, q = (uint64_t)FM_PHILOX_M1 * c;
        a = (uint32_t)(q >> 32) ^ b ^ k0;
        c = (uint32_t)(p >> 32) ^ d ^ k1;
        b = (uint32_t)q;
        d = (uint32_t)p;
    }
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
}

#endif
