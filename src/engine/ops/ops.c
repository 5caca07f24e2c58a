/* The functions of every op, from the manifest. */
#include "engine/ops/ops.h"
#include "engine/graph/validate.h"
#include "engine/ops/activation.h"
#include "engine/ops/arrange.h"
#include "engine/ops/bin_embedding.h"
#include "engine/ops/dense.h"
#include "engine/ops/dropout.h"
#include "engine/ops/embedding.h"
#include "engine/ops/lookup.h"
#include "engine/ops/merge.h"
#include "engine/ops/norm.h"
#include "engine/ops/numeric.h"
#include "engine/ops/periodic.h"
#include "engine/ops/softmax.h"

const fm_op_functions fm_ops[FM_OP_COUNT] = {
#define FM_OP(name, inputs, traits, validate, saved, forward, backward, update) {validate, saved, forward, backward, update},
#include "engine/ops/ops.def"
};

int fm_validate_nodes(const fm_plan *plan) {
    for (int i = 0; i < plan->node_count; i++)
        if (!fm_ops[plan->nodes[i].op].validate(plan, &plan->nodes[i]))
            return 0;
    return 1;
}
