/* Keeps networks consistent across fork: the child gets every network as it is between two batches, and unlocked, whatever other threads
 * of the parent are doing.
 *
 * All networks are locked for reading before a fork, so a network that is training finishes its current call. If that takes too long,
 * for example because a batch takes seconds, the fork proceeds: the weights in the child may then be half updated, but nothing else is.
 * Memory that other threads were using is abandoned in the child, not freed, because its contents are unknown.
 */
#include "engine/run/fork.h"
#include "engine/optim/deferred.h"
#include "engine/base/clock.h"

#include <math.h>

#define PATIENCE 1.0 /* seconds that all networks together may delay a fork */

static struct {
    pthread_mutex_t mutex; /* guards the list; held during a fork */
    fm_network *first;
} networks = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t watch_forks = PTHREAD_ONCE_INIT;

static void before_fork(void) {
    pthread_mutex_lock(&networks.mutex);
    const double until = fm_now() + PATIENCE;
    for (fm_network *network = networks.first; network; network = network->next)
        network->held_for_fork = fm_lock_acquire_before_fork(&network->lock, fmax(until - fm_now(), 0.0));
}

static void after_fork_in_parent(void) {
    for (fm_network *network = networks.first; network; network = network->next)
        if (network->held_for_fork)
            fm_lock_release(&network->lock, FM_ACCESS_SHARED);
    pthread_mutex_unlock(&networks.mutex);
}

static void after_fork_in_child(void) {
    pthread_mutex_init(&networks.mutex, NULL);
    for (fm_network *network = networks.first; network; network = network->next) {
        for (int i = 0; i < FM_SPARE_WORKSPACES; i++)
            if (atomic_exchange(&network->spare_taken[i], 0))
                network->spare[i] = NULL;
        if (!fm_lock_renew(&network->lock))
            continue;
        network->batch[0] = network->batch[1] = NULL; /* in use by a thread that does not exist here */
        if (!network->held_for_fork && network->deferred.steps)
            fm_reset_deferred(network);
    }
}

static void register_handlers(void) { pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child); }

void fm_register_network(fm_network *network) {
    pthread_once(&watch_forks, register_handlers);
    pthread_mutex_lock(&networks.mutex);
    network->next = networks.first;
    network->previous = NULL;
    if (network->next)
        network->next->previous = network;
    networks.first = network;
    pthread_mutex_unlock(&networks.mutex);
}

void fm_unregister_network(fm_network *network) {
    pthread_mutex_lock(&networks.mutex);
    if (network->previous)
        network->previous->next = network->next;
    else
        networks.first = network->next;
    if (network->next)
        network->next->previous = network->previous;
    pthread_mutex_unlock(&networks.mutex);
}
