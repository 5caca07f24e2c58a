/* Embedding and CategoryEncoding. */
#ifndef FASTMLP_OPS_EMBEDDING_H
#define FASTMLP_OPS_EMBEDDING_H

#include "engine/ops/ops.h"

int fm_validate_embedding(const fm_plan *plan, const fm_node_spec *node);
fm_extent fm_embedding_saved(const fm_network *network, const fm_node *node, ptrdiff_t rows);
void fm_embedding_forward(const fm_pass *pass, const fm_node *node);
void fm_embedding_update(const fm_pass *pass, const fm_node *node, const fm_step *step);

int fm_validate_category_encoding(const fm_plan *plan, const fm_node_spec *node);
void fm_category_encoding_forward(const fm_pass *pass, const fm_node *node);

#endif
