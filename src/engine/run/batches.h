/* The minibatch loop. */
#ifndef FASTMLP_RUN_BATCHES_H
#define FASTMLP_RUN_BATCHES_H

#include "engine/graph/network.h"

/* A call of train, evaluate or gradients, shared by its workers. Only worker 0 writes it between two barriers. */
typedef struct fm_run {
    fm_network *network;
    const fm_batches *batches;
    fm_workspace *workspace;
    int64_t first, batch, stop;
    double deadline;
    double *totals;
    int training; /* dropout and gradients */
    int updating; /* parameters are updated */
    int unfused;    /* gradients are stored before the update */
    int sparse;   /* the input is CSR */
    int deferred;     /* updates of rows without a gradient are deferred */
    ptrdiff_t deferred_steps; /* number of deferred steps before this batch */
    int lends;         /* some loss is user-defined, so the lock is lent */
    double penalty; /* of the parameters before the update */
    atomic_int bad_row, non_finite, no_memory, interrupted;
    int ended;
} fm_run;

/* Runs batches on one thread or many until `stop`, the deadline or an error, and measures the speed. */
void fm_run_until(fm_run *r, int threads, int many, int64_t stop, double deadline, fm_autotune *autotune);

#endif
