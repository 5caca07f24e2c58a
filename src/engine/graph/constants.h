/* The constant arrays that nodes point to: tables, edges of bins, numbers of columns. */
#ifndef FASTMLP_GRAPH_CONSTANTS_H
#define FASTMLP_GRAPH_CONSTANTS_H

#include "engine/graph/network.h"

/* Copies the arrays that the nodes point to into the network's memory. 0 if there is none. */
int fm_copy_constants(fm_network *network);

#endif
