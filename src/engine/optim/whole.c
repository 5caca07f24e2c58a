/* Steps of rules that look at all of a parameter at once: how long it is, and how long the step.
 *
 * The gradients lie in memory, and what surrounds a step has been done to them: optim/update.c. A step is made in `around.step` first, each
 * worker its panels; what is said of a whole parameter are sums over its columns, so no bit depends on the threads.
 */
#include "engine/engine.h"

#include <math.h>
#include <string.h>

/* w += factor · step, for a worker's share. */
static void walk(const fm_network *network, const fm_stretch *s, double factor) {
    float *value = network->value + s->offset;
    const fm_combine move = {s->n, network->around.step + s->offset, value, (float)factor, 1.0f, value};
    network->kernels->combine(&move);
}

/* -- lamb ------------------------------------------------------------------------------------------------------------------------------ */

/* Adam's step for a rate of 1 is that of update_nadam with no word of the gradient itself; taken from 0, it has its sign turned. */
static void adam_step(const fm_network *network, const fm_step *step, const fm_stretch *s) {
    fm_update update = step->constants;
    update.n = s->n;
    update.w = network->around.step + s->offset;
    update.g = network->gradient + s->offset;
    update.learning_rate = 0.0f;
    for (int i = 0; i < 2; i++)
        update.slot[i] = network->slot[i] + s->offset;
    memset(update.w, 0, (size_t)s->n * sizeof *update.w);
    network->kernels->update_nadam(&update);
}

static void lamb(const fm_pass *pass, const fm_step *step) {
    const fm_network *network = pass->network;
    float *const *norms = network->around.norms;
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_stretch s = fm_share_parameter(network, p, pass->worker);
        if (!network->trainable[p])
            continue;
        adam_step(network, step, &s);
        fm_sum_columns(network, &s, network->value, NULL, norms[0]);
        fm_sum_columns(network, &s, network->around.step, NULL, norms[1]);
    }
    fm_team_barrier(pass->worker);
    for (int p = 0; p < network->parameter_count; p++) {
        const fm_stretch s = fm_share_parameter(network, p, pass->worker);
        if (!network->trainable[p])
            continue;
        const double of_weights = sqrt(fm_sum_of(network, p, norms[0])), of_step = sqrt(fm_sum_of(network, p, norms[1]));
        const double trust = of_weights > 0.0 && of_step > 0.0 ? of_weights / of_step : 1.0;
        walk(network, &s, (double)step->constants.learning_rate * trust);
    }
}

void fm_step_whole(const fm_pass *pass, const fm_step *step) {
    fm_team_barrier(pass->worker); /* others may still read the sums of squares by which gradients are clipped */
    lamb(pass, step);
}
