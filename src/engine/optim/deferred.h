/* Deferred updates of rows that have no gradient. */
#ifndef FASTMLP_OPTIM_DEFERRED_H
#define FASTMLP_OPTIM_DEFERRED_H

#include "engine/optim/step.h"

/* True if a step with a zero gradient changes neither parameters nor slots. */
int fm_zero_gradient_is_noop(const fm_network *network);

/* False if every row has to take every step at once. */
int fm_may_defer(const fm_network *network);
/* … and whether deferring the updates of embeddings pays in batches of so many rows. */
int fm_may_defer_tables(const fm_network *network, ptrdiff_t batch_rows);
fm_status fm_ensure_deferred(fm_network *network);
void fm_free_deferred(fm_network *network);

/* Marks all rows as current, when their deferred steps are not known any more. */
void fm_reset_deferred(fm_network *network);

/* Lists the stale columns of this worker's CSC; then all workers replay those of their shard. */
void fm_list_stale(const fm_pass *pass);
void fm_flush_stale(const fm_pass *pass);

/* Marks the columns of this worker's CSC as having taken `steps` steps. */
void fm_mark_current(const fm_pass *pass, ptrdiff_t steps);

/* The table with this offset; NULL if it is not one of those whose updates are deferred. */
fm_deferred_table *fm_table_at(fm_network *network, ptrdiff_t kernel);
/* Replays the steps that a row has missed. */
void fm_flush_row(const fm_network *network, fm_deferred_table *table, ptrdiff_t row);

/* Records a completed step; by worker 0, between barriers. */
void fm_record_step(fm_network *network, const fm_step *step);

/* Flushes all deferred updates: as a worker of a call, or from outside one. */
void fm_flush_worker(fm_network *network, fm_worker worker);
void fm_flush(fm_network *network);

#endif
