/* Whole numbers as rows of a table, or as columns. */
#ifndef FASTMLP_OPS_EMBEDDING_H
#define FASTMLP_OPS_EMBEDDING_H

#include "engine/optim/step.h"

ptrdiff_t fm_embed_memo(const fm_network *network, const fm_node *node);
void fm_embed_forward(const fm_pass *pass, const fm_node *node);
void fm_encode_forward(const fm_pass *pass, const fm_node *node);
void fm_embed_update(const fm_pass *pass, const fm_node *node, int index, const fm_step *step);

#endif
