/* What a network that trains has besides its parameters: losses, the optimizer's surroundings, steps put off. */
#ifndef FASTMLP_GRAPH_TRAINING_H
#define FASTMLP_GRAPH_TRAINING_H

#include "fastmlp.h"
#include "kernels/kernels.h"

#define FM_SLOTS (FM_RULE_SLOTS + 2) /* a rule's, the average and the sum of gradients */

/* One of the losses whose weighted sum is minimised. */
typedef struct fm_loss_term {
    fm_objective objective;
    ptrdiff_t column, columns; /* of y */
} fm_loss_term;

#define FM_MAX_DEFERRED_STEPS 4096

/* Steps that rows of the first kernel have put off: optim/deferred.c. */
typedef struct fm_deferred {
    char *memory;         /* NULL until wanted */
    ptrdiff_t steps;      /* since all rows were up to date; 0 means they are */
    float *learning_rate; /* [FM_MAX_DEFERRED_STEPS] of each of them */
    float max_learning_rate;
    uint32_t *done; /* [inputs] how many of them a row has taken */
    ptrdiff_t horizon;                   /* adam, rounded: steps after which momentum moves nothing any more; 0: take every step */
    float (*series)[FM_SERIES];        /* [FM_MAX_DEFERRED_STEPS] what a row adds up that has taken so many */
    const float (*weights)[FM_SERIES]; /* [reach] of the learning rate of a row's next step, the one after, … in its series */
    const float (*decay)[2];            /* [FM_MAX_DEFERRED_STEPS + 1] what is left of both slots after so many steps */
} fm_deferred;

/* What the penalty on a parameter's angles needs: optim/orthogonal.c. */
typedef struct fm_orthogonal {
    char *memory; /* NULL where there is none */
    ptrdiff_t count, length; /* of its vectors: rows of a kernel, or columns */
    float *vectors;      /* [count][padded length] of length 1 */
    float *packed_vectors; /* [count / 16][length][16] */
    float *packed_vectors_t;   /* [length / 16][count][16] */
    float *slope;        /* [count][padded length] the penalty's derivative by the weights */
    double *sum;         /* [count] Σ |cosine| with the others */
    float *inverse_length; /* [count] */
} fm_orthogonal;

/* What Muon's products need, for the largest of the matrices, of which the longer side stands upright: optim/newton.c. */
typedef struct fm_newton {
    ptrdiff_t count, grams; /* floats in each */
    float *x, *product;     /* [shorter / 16][longer][16] */
    float *gram, *polynomial; /* [shorter / 16][padded shorter][16] */
} fm_newton;

/* What is done around the optimizer's steps: optim/state.c. */
typedef struct fm_optimizer {
    char *memory;
    fm_parameter_rule *rules; /* [parameter_count] */
    float *ema, *accumulator; /* two of the slots, or NULL */
    float *norms[2];      /* [padded units of all parameters] Σ|x| and Σx² of columns */
    ptrdiff_t *units;     /* [parameter_count] where a parameter's columns begin in them */
    fm_orthogonal *orthogonal; /* [parameter_count] */
    float *factor;        /* [most rows of a parameter] what its rows are multiplied by */
    float *step;          /* [size] optim/layerwise.c: where parameters are going to */
    fm_newton newton;
    int has_adjustments;          /* penalties, decay or clipvalue come before a step */
    int has_penalties;        /* the loss has penalties */
    int needs_full_gradient;            /* all of the gradient is needed before a step */
    int has_post_update;          /* something follows each update: averages, constraints */
    uint64_t product_steps; /* nadam: steps in */
    double product;         /* … the product of its momenta, while they grow */
} fm_optimizer;

/* How fast batches went on one thread and on many, so that the faster way can be taken: see run/autotune.c. */
typedef struct fm_autotune {
    double seconds_per_row[2]; /* on one thread, on many */
    double until_probe;        /* seconds of work until both are measured again */
    int threads;               /* how many `many` is */
    int probes;                /* how often both were measured */
} fm_autotune;

#endif
