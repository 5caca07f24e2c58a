/* The optimizer's step. */
#ifndef FASTMLP_OPTIM_STEP_H
#define FASTMLP_OPTIM_STEP_H

#include "engine/graph/pass.h"

/* The optimizer's step with the constants of this iteration. With `update` NULL it stores gradients instead, for optim/layerwise.c. */
typedef struct fm_step {
    void (*update)(const fm_update *);
    void (*replay)(const fm_replay *); /* NULL for rules whose updates cannot be deferred */
    fm_update constants;
    float decay;    /* learning rate · weight decay, of matrices and */
    float vector_decay; /* … of others */
    uint64_t taken; /* number of steps before this one */
    ptrdiff_t deferred; /* number of deferred steps before this one: network->deferred.steps counts this one as soon as a worker is done */
    int last; /* this batch completes a step: with gradient accumulation, the last of several */
} fm_step;

/* This iteration's constants of the optimizer. */
fm_step fm_step_of(const fm_network *network);

/* Updates what depends on the number of iterations; by one thread, before fm_step_of. */
void fm_begin_iteration(fm_network *network);

/* Applies the step to n elements from `offset`, given their gradient, which is overwritten. The elements belong to one parameter, except
 * that with `update` NULL they may belong to several. */
void fm_apply_step(const fm_network *network, const fm_step *step, ptrdiff_t offset, ptrdiff_t n, float *gradient);

/* Its two parts, for elements of one parameter: the rule's step, and what modifies gradient and weights before it. */
void fm_apply_rule(const fm_network *network, const fm_step *step, ptrdiff_t offset, ptrdiff_t n, const float *gradient);
fm_adjust fm_adjustment(const fm_network *network, const fm_step *step, int p, ptrdiff_t offset, ptrdiff_t n, float *gradient);

/* The kernels of a rule, without constants. */
fm_step fm_rule_of(const fm_kernels *kernels, int kind);

uint64_t fm_batches_per_step(const fm_update_spec *update);

/* Initializes slots that start as copies of the parameters, which may change until training starts. */
void fm_copy_parameters_to_slots(fm_network *network);

#endif
