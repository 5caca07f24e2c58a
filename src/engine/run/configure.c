/* Configures a network for training: losses, metrics and optimizer. */
#include "engine/graph/link.h"
#include "engine/graph/terms.h"
#include "engine/optim/deferred.h"
#include "engine/optim/state.h"
#include "engine/run/workspace.h"

#include <stdlib.h>

fm_status fm_network_configure(fm_network *network, const fm_objective *objectives, int count, const fm_update_spec *update,
                               uint64_t *task) {
    if (count < 1 || update->kind < 0 || update->kind >= FM_OPTIMIZER_COUNT)
        return FM_STATUS_BAD_PLAN;
    for (int t = 0; t < count; t++)
        if (!fm_validate_objective(network, &objectives[t]))
            return FM_STATUS_BAD_PLAN;
    fm_loss_term *terms = fm_copy_terms(network, objectives, count);
    if (!terms)
        return FM_STATUS_NO_MEMORY;

    fm_status status = fm_lock_acquire(&network->lock, FM_ACCESS_WRITE);
    if (status != FM_STATUS_OK) {
        free(terms);
        return status;
    }
    fm_flush(network);
    status = fm_link_objectives(network, terms, count) ? fm_new_update(network, update) : FM_STATUS_BAD_PLAN;
    if (status != FM_STATUS_OK) {
        if (network->configured)
            fm_link_objectives(network, network->terms, network->term_count);
        fm_lock_release(&network->lock, FM_ACCESS_WRITE);
        free(terms);
        return status;
    }
    fm_free_deferred(network); /* its tables depend on the rule */
    free(network->terms);
    for (int i = 0; i < 2; i++) { /* they have an array for each metric */
        fm_workspace_free(network->batch[i]);
        network->batch[i] = NULL;
    }
    network->terms = terms;
    network->term_count = count;
    network->target_columns = terms[count - 1].column + terms[count - 1].columns;
    const uint64_t none = 0;
    FM_PUBLISH(network->state.iterations, none);
    network->configured = 1;
    *task = ++network->task;
    fm_lock_release(&network->lock, FM_ACCESS_WRITE);
    return FM_STATUS_OK;
}
