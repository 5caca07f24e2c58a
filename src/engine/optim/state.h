/* What an update needs. */
#ifndef FASTMLP_OPTIM_STATE_H
#define FASTMLP_OPTIM_STATE_H

#include "engine/graph/network.h"

/* Makes slots and all else the network's update needs, or frees what there is. */
fm_status fm_new_update(fm_network *network, const fm_update_spec *update);
void fm_free_update(fm_network *network);

#endif
