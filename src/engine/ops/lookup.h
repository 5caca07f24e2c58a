/* Discretization and lookups. */
#ifndef FASTMLP_OPS_LOOKUP_H
#define FASTMLP_OPS_LOOKUP_H

#include "engine/graph/pass.h"

int fm_validate_lookup(const fm_plan *plan, const fm_node_spec *node);
void fm_lookup_forward(const fm_pass *pass, const fm_node *node);

#endif
