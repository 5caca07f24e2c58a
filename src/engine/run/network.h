/* Gradients of a network, for the rest of the engine. */
#ifndef FASTMLP_RUN_NETWORK_H
#define FASTMLP_RUN_NETWORK_H

#include "engine/graph/network.h"

/* Copies the gradients, [parameter] in the plan's shapes; NULL for those that are not requested. */
void fm_copy_gradients(fm_network *network, float *const *to);

/* Replaces the gradients; those of parameters with NULL become zero. */
void fm_set_gradients(fm_network *network, const float *const *from);

#endif
