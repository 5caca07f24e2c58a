/* How many threads batches run on. */
#ifndef FASTMLP_RUN_AUTOTUNE_H
#define FASTMLP_RUN_AUTOTUNE_H

#include "engine/run/batches.h"

/* Threads worth waking for steps of this size. */
int fm_threads_for(const fm_network *network, const fm_batches *batches, int training);

/* Runs batches until the stop or the end of its time, on as many threads as were fastest when last seen. */
void fm_run_autotuned(fm_run *r, int threads, fm_autotune *autotune);

#endif
