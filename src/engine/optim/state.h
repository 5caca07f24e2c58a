/* Memory of the optimizer. */
#ifndef FASTMLP_OPTIM_STATE_H
#define FASTMLP_OPTIM_STATE_H

#include "engine/graph/network.h"

/* Allocates slots and optimizer state for this update and replaces the old ones; on failure these stay. */
fm_status fm_new_update(fm_network *network, const fm_update_spec *update);
void fm_free_update(fm_network *network);

#endif
