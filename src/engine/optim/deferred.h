/* Steps of the optimizer that rows of the first kernel put off. */
#ifndef FASTMLP_OPTIM_DEFERRED_H
#define FASTMLP_OPTIM_DEFERRED_H

#include "engine/optim/step.h"

/* True if a step with gradient zero leaves parameters and slots alone. */
int fm_zero_gradient_is_noop(const fm_network *network);

/* False if rows must take every step when it comes. */
int fm_may_defer(const fm_network *network);
fm_status fm_ensure_deferred(fm_network *network);
void fm_free_deferred(fm_network *network);

/* Takes all rows for up to date, when nobody knows any more which steps they have put off. */
void fm_reset_deferred(fm_network *network);

/* Notes this worker's listed columns that have steps to catch up on; then all workers catch up on theirs. */
void fm_list_stale(const fm_pass *pass);
void fm_flush_stale(const fm_pass *pass);

/* This worker's listed columns have taken so many steps. */
void fm_mark_current(const fm_pass *pass, ptrdiff_t steps);

/* A step has been done: by worker 0, while nobody looks. */
void fm_record_step(fm_network *network, const fm_step *step);

/* Brings all rows up to date: by all workers of a call, or from outside one. */
void fm_flush_worker(fm_network *network, fm_worker worker);
void fm_flush(fm_network *network);

#endif
