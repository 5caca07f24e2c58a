/* Names and traits of the ops, from their manifest. */
#include "engine/graph/traits.h"

static const struct {
    const char *name;
    int inputs, traits;
} rows[] = {
#define FM_OP(name, inputs, traits, validate, saved, forward, backward, update) {#name, inputs, traits},
#include "engine/ops/ops.def"
};

const char *fm_op_name(fm_op op) { return rows[op].name; }

int fm_op_has(fm_op op, int traits) { return (rows[op].traits & traits) == traits; }

int fm_op_inputs(fm_op op) { return rows[op].inputs; }

int fm_op_is_activation(fm_op op) { return fm_op_has(op, FM_TRAIT_ACTIVATION); }
