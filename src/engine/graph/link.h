/* Links nodes to their neighbours and to the losses. */
#ifndef FASTMLP_GRAPH_LINK_H
#define FASTMLP_GRAPH_LINK_H

#include "engine/graph/network.h"

/* Fills the fields of fm_node that depend on neighbouring nodes. */
void fm_link_nodes(fm_network *network);

/* Marks the nodes that these losses need and those that get a gradient. 0 if a loss reads a buffer that other nodes or losses read. */
int fm_link_objectives(fm_network *network, const fm_loss_term *terms, int count);

#endif
