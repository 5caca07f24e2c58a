/* Nodes that replace each number by an integer: Discretization finds its bin, lookups find it in a table or hash it into buckets.
 * Neither passes a gradient. */
#include "engine/ops/lookup.h"
#include "engine/graph/validate.h"

#include <math.h>

#define EXACT_INT_LIMIT 16777216.0f /* 2^24: integers below it are exact in a float */
#define DIGITS 9 /* maximum length of such a number as text, with its sign */

/* -- hashes of numbers, written as text -------------------------------------------------------------------------------------------- */

/* Writes the number in decimal; returns its length. */
static int write_digits(int32_t number, uint8_t text[DIGITS]) {
    uint8_t reversed[DIGITS];
    uint32_t rest = number < 0 ? 0u - (uint32_t)number : (uint32_t)number;
    int digits = 0, length = 0;
    do {
        reversed[digits++] = (uint8_t)('0' + rest % 10u);
        rest /= 10u;
    } while (rest);
    if (number < 0)
        text[length++] = '-';
    while (digits)
        text[length++] = reversed[--digits];
    return length;
}

/* `count` bytes, little-endian. */
static uint64_t word_of(const uint8_t *text, int count) {
    uint64_t word = 0;
    for (int i = 0; i < count; i++)
        word |= (uint64_t)text[i] << (8 * i);
    return word;
}

static uint64_t rotated_right(uint64_t word, int bits) { return word >> bits | word << (64 - bits); }

static uint64_t shifted(uint64_t word) { return word ^ word >> 47; }

static uint64_t mixed(uint64_t u, uint64_t v, uint64_t factor) {
    const uint64_t a = shifted((u ^ v) * factor);
    return shifted((v ^ a) * factor) * factor;
}

/* FarmHash's Fingerprint64 of 1 to 16 bytes. */
static uint64_t farmhash(const uint8_t *text, int length) {
    const uint64_t k0 = UINT64_C(0xC3A5C85C97CB3127), k2 = UINT64_C(0x9AE16A3B2F90404F), size = (uint64_t)length;
    const uint64_t factor = k2 + size * 2;
    if (length >= 8) {
        const uint64_t a = word_of(text, 8) + k2, b = word_of(text + length - 8, 8);
        return mixed(rotated_right(b, 37) * factor + a, (rotated_right(a, 25) + b) * factor, factor);
    }
    if (length >= 4)
        return mixed(size + (word_of(text, 4) << 3), word_of(text + length - 4, 4), factor);
    const uint64_t y = text[0] + ((uint64_t)text[length >> 1] << 8), z = size + ((uint64_t)text[length - 1] << 2);
    return shifted(y * k2 ^ z * k0) * k2;
}

static void sip_rounds(uint64_t v[4], int count) {
    for (int i = 0; i < count; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotated_right(v[1], 51) ^ v[0];
        v[3] = rotated_right(v[3], 48) ^ v[2];
        v[0] = rotated_right(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotated_right(v[1], 47) ^ v[2];
        v[3] = rotated_right(v[3], 43) ^ v[0];
        v[2] = rotated_right(v[2], 32);
    }
}

/* SipHash-2-4 (Aumasson, Bernstein 2012). */
static uint64_t siphash(const uint8_t *text, int length, const uint64_t key[2]) {
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736F6D6570736575), key[1] ^ UINT64_C(0x646F72616E646F6D), key[0] ^ UINT64_C(0x6C7967656E657261),
                     key[1] ^ UINT64_C(0x7465646279746573)};
    for (int at = 0; at <= length; at += 8) {
        const int rest = length - at;
        const uint64_t word = rest >= 8 ? word_of(text + at, 8) : word_of(text + at, rest) | (uint64_t)length << 56;
        v[3] ^= word;
        sip_rounds(v, 2);
        v[0] ^= word;
    }
    v[2] ^= 0xFF;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* -- tables ------------------------------------------------------------------------------------------------------------------------ */

int fm_validate_lookup(const fm_plan *plan, const fm_node_spec *node) {
    const fm_table *table = &node->table;
    const int looks_up = node->op == FM_OP_lookup;
    if (table->entries < 0 || table->entries > INT32_MAX || (table->entries && (!table->keys || (looks_up && !table->values))))
        return 0;
    for (int64_t i = 0; i < table->entries; i++) {
        const float key = table->keys[i];
        if (!isfinite(key) || (i && (looks_up ? key <= table->keys[i - 1] : key < table->keys[i - 1])))
            return 0;
    }
    return fm_validate_same_width(plan, node) && table->buckets >= 0 && (float)table->buckets <= EXACT_INT_LIMIT &&
           fabsf((float)table->first) <= EXACT_INT_LIMIT && table->method >= FM_BUCKETING_FLOORMOD && table->method <= FM_BUCKETING_SIPHASH;
}

/* Number of keys ≤ x; all of them if x is NaN. */
static int64_t count_up_to(const fm_table *table, float x) {
    int64_t low = 0, high = table->entries;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (x < table->keys[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static float look_up(const fm_table *table, float x) {
    const int64_t place = count_up_to(table, x) - 1;
    if (place >= 0 && table->keys[place] == x)
        return table->values[place];
    if (!(fabsf(x) < EXACT_INT_LIMIT) || x != truncf(x) || !table->buckets)
        return NAN;
    const int32_t number = (int32_t)x, buckets = table->buckets;
    int32_t bucket = 0;
    if (table->method == FM_BUCKETING_FLOORMOD) {
        bucket = number % buckets;
        bucket += bucket < 0 ? buckets : 0;
    } else if (buckets > 1) {
        uint8_t text[DIGITS];
        const int length = write_digits(number, text);
        const uint64_t hash = table->method == FM_BUCKETING_FARMHASH ? farmhash(text, length) : siphash(text, length, table->salt);
        bucket = (int32_t)(hash % (uint64_t)buckets);
    }
    return (float)table->first + (float)bucket;
}

void fm_lookup_forward(const fm_pass *pass, const fm_node *node) {
    const fm_network *network = pass->network;
    const fm_table *table = &node->spec.table;
    const fm_range rows = fm_partition_rows(fm_rows(pass, node->spec.input), pass->worker);
    for (ptrdiff_t r = rows.begin; r < rows.end; r++) {
        const float *x = pass->workspace->value[node->spec.input] + r * network->stride[node->spec.input];
        float *out = pass->workspace->value[node->spec.output] + r * network->stride[node->spec.output];
        for (ptrdiff_t c = 0; c < node->units; c++)
            out[c] = node->spec.op == FM_OP_lookup ? look_up(table, x[c]) : (float)count_up_to(table, x[c]);
    }
}
