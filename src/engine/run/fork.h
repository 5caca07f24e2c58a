/* All networks, for a fork. */
#ifndef FASTMLP_RUN_FORK_H
#define FASTMLP_RUN_FORK_H

#include "fastmlp.h"

void fm_enlist(fm_network *network);
void fm_strike_out(fm_network *network);

#endif
