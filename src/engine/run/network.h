/* A network's parameters, for the rest of the engine. */
#ifndef FASTMLP_RUN_NETWORK_H
#define FASTMLP_RUN_NETWORK_H

#include "engine/graph/network.h"

/* Copies the gradients, [parameter] in the plan's shapes; NULL where one is not wanted. */
void fm_copy_gradients(fm_network *network, float *const *to);

#endif
