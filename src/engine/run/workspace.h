/* Workspaces: memory for batches. */
#ifndef FASTMLP_RUN_WORKSPACE_H
#define FASTMLP_RUN_WORKSPACE_H

#include "engine/graph/network.h"

/* A workspace for `rows` rows. NULL if there is no memory. */
fm_workspace *fm_workspace_new(const fm_network *network, ptrdiff_t rows, int room, int workers);
void fm_workspace_free(fm_workspace *workspace);

/* Allocates the padded rows of the input. */
fm_status fm_ensure_input(const fm_network *network, fm_workspace *workspace);

/* Allocates the gradient array, with the layout of the parameters. */
fm_status fm_ensure_gradient(fm_network *network);

#endif
