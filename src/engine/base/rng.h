/* Random numbers as a function of seed and position. */
#ifndef FASTMLP_BASE_RNG_H
#define FASTMLP_BASE_RNG_H

#include <stdint.h>

uint32_t fm_low(uint64_t value);
uint32_t fm_high(uint64_t value);

/* The key of a noise stream: the seed itself for draw 0, else Philox words of seed and draw. */
void fm_noise_key(uint64_t seed, uint64_t draw, uint32_t key[2]);

#endif
