/* Penalties of parameters and their gradients. */
#include "engine/optim/penalties.h"
#include "engine/optim/parameter_shard.h"
#include "engine/optim/orthogonal.h"
#include "engine/optim/step.h"

#include <math.h>

void fm_sum_penalties(const fm_pass *pass) {
    float *const *norms = pass->network->optimizer.norms;
    for (int p = 0; p < pass->network->parameter_count; p++) {
        const fm_parameter_rule *rule = &pass->network->optimizer.rules[p];
        const fm_parameter_shard s = fm_shard_parameter(pass->network, p, pass->worker);
        if (rule->l1 != 0.0 || rule->l2 != 0.0)
            fm_sum_columns(pass->network, &s, pass->network->value, norms[0], norms[1]);
        if (rule->orthogonal != 0.0)
            fm_sum_cosines(pass, p);
    }
}

double fm_penalty(const fm_network *network) {
    double penalty = 0.0;
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_parameter_rule *rule = &network->optimizer.rules[p];
        if (rule->l1 != 0.0)
            penalty += rule->l1 * fm_sum_of(network, p, network->optimizer.norms[0]);
        if (rule->l2 != 0.0)
            penalty += rule->l2 * fm_sum_of(network, p, network->optimizer.norms[1]);
        if (rule->orthogonal != 0.0)
            penalty += rule->orthogonal * fm_mean_cosine(&network->optimizer.orthogonal[p]);
    }
    return penalty;
}

void fm_add_penalty_gradients(const fm_pass *pass) {
    const fm_network *network = pass->network;
    const fm_step still = {.decay = 0.0f};
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_parameter_shard s = fm_shard_parameter(network, p, pass->worker);
        fm_adjust adjust = fm_adjustment(network, &still, p, s.offset, s.n, network->gradient + s.offset);
        adjust.clip = INFINITY;
        if (adjust.l1 != 0.0f || adjust.l2 != 0.0f)
            network->kernels->adjust(&adjust);
        if (network->optimizer.rules[p].orthogonal != 0.0)
            fm_add_orthogonal_gradients(network, p, s.panels);
    }
}
