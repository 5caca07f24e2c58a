/* A call that runs minibatches. */
#ifndef FASTMLP_RUN_BATCHES_H
#define FASTMLP_RUN_BATCHES_H

#include "engine/graph/network.h"

/* A call of train, evaluate or gradients, shared by its workers. Between two barriers only worker 0 writes what others read. */
typedef struct fm_run {
    fm_network *network;
    const fm_batches *batches;
    fm_workspace *workspace;
    int64_t first, batch, stop;
    double deadline;
    double *totals;
    int training; /* dropout and gradients */
    int updating; /* parameters move */
    int unfused;    /* gradients go through memory before the update */
    int sparse;   /* the input is listed without its zeros */
    int deferred;     /* rows of the first kernel put off steps while their input is zero */
    ptrdiff_t deferred_steps; /* … of how many, before this one */
    int lends;         /* some loss is a function of the caller's */
    double penalty; /* of the weights before the update */
    atomic_int bad_row, non_finite, no_memory, interrupted;
    int ended;
} fm_run;

/* Runs batches on one thread or on many until the stop, the end of its time or a fault, and notes how fast that went. */
void fm_run_until(fm_run *r, int threads, int many, int64_t stop, double deadline, fm_autotune *autotune);

#endif
