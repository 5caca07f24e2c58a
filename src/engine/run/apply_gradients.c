/* The optimizer's step with gradients of the caller, for training loops outside of the engine. */
#include "engine/optim/deferred.h"
#include "engine/optim/post_update.h"
#include "engine/optim/update.h"
#include "engine/run/network.h"
#include "engine/run/workspace.h"

#include <stdlib.h>
#include <string.h>

#define PARALLEL_FLOATS (256 << 10) /* parameters of fewer floats are updated on one thread */

typedef struct fm_given_step {
    fm_network *network;
    fm_step step;
} fm_given_step;

static void update(void *argument, fm_worker worker) {
    const fm_given_step *given = argument;
    const fm_pass pass = {.network = given->network, .worker = worker};
    fm_update_from_gradients(&pass, &given->step);
}

static void post_update(void *argument, fm_worker worker) {
    const fm_given_step *given = argument;
    const fm_pass pass = {.network = given->network, .worker = worker};
    fm_post_update(&pass, &given->step);
}

/* The lock is held. `trainable` is a copy of the network's: parameters without a gradient count as frozen during the update, though not for
 * the EMA that follows. */
static void step_locked(fm_network *network, const float *const *gradients, const uint8_t *trainable) {
    const int threads = network->size < PARALLEL_FLOATS ? 1 : fm_get_threads();
    fm_set_gradients(network, gradients);
    for (int p = 0; p < network->parameter_count && fm_batches_per_step(&network->update) == 1; p++)
        if (!gradients[p])
            network->trainable[p] = 0;
    fm_begin_iteration(network);
    fm_given_step given = {network, fm_step_of(network)};
    fm_team_run(update, &given, threads);
    memcpy(network->trainable, trainable, (size_t)network->parameter_count);
    if (network->optimizer.has_post_update)
        fm_team_run(post_update, &given, threads);
    const uint64_t iterations = network->state.iterations + 1;
    FM_PUBLISH(network->state.iterations, iterations);
}

fm_status fm_network_apply_gradients(fm_network *network, uint64_t task, const float *const *gradients) {
    uint8_t *trainable = malloc((size_t)network->parameter_count + 1);
    if (!trainable)
        return FM_STATUS_NO_MEMORY;
    fm_status status = fm_lock_acquire(&network->lock, FM_ACCESS_WRITE);
    if (status != FM_STATUS_OK) {
        free(trainable);
        return status;
    }
    memcpy(trainable, network->trainable, (size_t)network->parameter_count);
    status = !network->configured ? FM_STATUS_NOT_READY : task != network->task ? FM_STATUS_STALE : fm_ensure_gradient(network);
    if (status == FM_STATUS_OK) {
        fm_flush(network);
        step_locked(network, gradients, trainable);
        if (fm_first_nonfinite(network->value, network->size) >= 0)
            status = FM_STATUS_NON_FINITE_WEIGHTS;
    }
    fm_lock_release(&network->lock, FM_ACCESS_WRITE);
    free(trainable);
    return status;
}
