/* The orthogonal penalty. */
#ifndef FASTMLP_OPTIM_ORTHOGONAL_H
#define FASTMLP_OPTIM_ORTHOGONAL_H

#include "engine/graph/pass.h"

fm_status fm_new_orthogonal(fm_orthogonal *orthogonal, const fm_parameter_rule *rule, const ptrdiff_t shape[2]);

/* Computes the cosines of this worker's vectors with all others and, in training, the derivative. All workers call it. */
void fm_sum_cosines(const fm_pass *pass, int parameter);

/* After a barrier: the mean |cosine| of two vectors; and the derivative added to some panels of the gradient. */
double fm_mean_cosine(const fm_orthogonal *orthogonal);
void fm_add_orthogonal_gradients(const fm_network *network, int parameter, fm_range panels);

#endif
