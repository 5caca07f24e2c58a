/* The list of networks, for fork. */
#ifndef FASTMLP_RUN_FORK_H
#define FASTMLP_RUN_FORK_H

#include "fastmlp.h"

void fm_register_network(fm_network *network);
void fm_unregister_network(fm_network *network);

#endif
