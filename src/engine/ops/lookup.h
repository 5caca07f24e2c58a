/* Numbers replaced by whole ones. */
#ifndef FASTMLP_OPS_LOOKUP_H
#define FASTMLP_OPS_LOOKUP_H

#include "engine/graph/pass.h"

int fm_copy_tables(fm_network *network);
void fm_lookup_forward(const fm_pass *pass, const fm_node *node);

#endif
