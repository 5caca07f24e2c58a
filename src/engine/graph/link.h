/* How nodes are connected. */
#ifndef FASTMLP_GRAPH_LINK_H
#define FASTMLP_GRAPH_LINK_H

#include "engine/graph/network.h"

/* What each node's neighbours do for it: see fm_node. */
void fm_link_nodes(fm_network *network);

/* Which nodes these losses need, and which their gradient reaches. 0 if a loss reads what others read too. */
int fm_link_objectives(fm_network *network, const fm_loss_term *terms, int count);

#endif
