/* The optimizer's step. */
#ifndef FASTMLP_OPTIM_STEP_H
#define FASTMLP_OPTIM_STEP_H

#include "engine/graph/pass.h"

/* The optimizer's step with this iteration's constants; `update` NULL keeps the gradient instead, for whole.c where that makes the steps. */
typedef struct fm_step {
    void (*update)(const fm_update *);
    void (*replay)(const fm_replay *); /* NULL for rules whose steps cannot be put off */
    fm_update constants;
    float decay;    /* learning rate · weight decay, of matrices and */
    float vector_decay; /* … of others */
    uint64_t taken; /* steps before this one */
    int last;       /* of the batches whose gradients make a step */
} fm_step;

/* This iteration's constants of the optimizer. */
fm_step fm_step_of(const fm_network *network);

/* Brings what depends on the number of updates up to date with it; by one thread, before fm_step_of. */
void fm_begin_iteration(fm_network *network);

/* The optimizer's step on n numbers of a parameter from `offset`, given their gradient, which is used up. Only with no rule, where the
 * gradient goes to its array as it is, may the numbers of several parameters come together. */
void fm_apply_step(const fm_network *network, const fm_step *step, ptrdiff_t offset, ptrdiff_t n, float *gradient);

/* The parts of it: the rule's step, and what changes a gradient and its weights before that, for numbers of one parameter. */
void fm_apply_rule(const fm_network *network, const fm_step *step, ptrdiff_t offset, ptrdiff_t n, const float *gradient);
fm_adjust fm_adjustment(const fm_network *network, const fm_step *step, int p, ptrdiff_t offset, ptrdiff_t n, float *gradient);

/* The functions of a rule, without constants. */
fm_step fm_rule_of(const fm_kernels *kernels, int kind);

uint64_t fm_batches_per_step(const fm_update_spec *update);

/* Slots that begin as the parameters, which may change until training begins. */
void fm_copy_parameters_to_slots(fm_network *network);

#endif
