/* The training state of a network besides its parameters: losses, optimizer, deferred updates. */
#ifndef FASTMLP_GRAPH_TRAINING_H
#define FASTMLP_GRAPH_TRAINING_H

#include "fastmlp.h"
#include "kernels/kernels.h"

#define FM_SLOTS (FM_RULE_SLOTS + 2) /* those of the rule, the EMA and the accumulated gradient */

/* One of the losses whose weighted sum is minimised. */
typedef struct fm_loss_term {
    fm_objective objective;
    ptrdiff_t column, columns; /* of y */
    ptrdiff_t y_row;           /* floats of a row of targets in the workspace */
} fm_loss_term;

#define FM_MAX_DEFERRED_STEPS 4096

/* A parameter of whose rows a batch reads only some: the first kernel, if the input is sparse, or the table of an embedding. */
typedef struct fm_deferred_table {
    ptrdiff_t kernel; /* its offset */
    ptrdiff_t rows, panels;
    uint32_t *done; /* [rows] number of the deferred steps applied to each row */
} fm_deferred_table;

/* Deferred updates of rows without a gradient: optim/deferred.c. */
typedef struct fm_deferred {
    char *memory;         /* NULL until needed */
    int count;
    fm_deferred_table *tables; /* [count] */
    ptrdiff_t steps;      /* number of steps since all rows were current; 0: none is stale */
    float *learning_rate; /* [FM_MAX_DEFERRED_STEPS] of each of these steps */
    float max_learning_rate;
    ptrdiff_t horizon;                   /* adam with `rounded`: steps after which momentum has vanished; 0: replay every step */
    float (*series)[FM_SERIES];        /* [FM_MAX_DEFERRED_STEPS] the sum to apply to a row with so many steps applied */
    const float (*weights)[FM_SERIES]; /* [horizon] weights in a row's sum of the learning rates of its next step, the one after, … */
    const float (*decay)[2];            /* [FM_MAX_DEFERRED_STEPS + 1] decay of both slots over so many steps */
} fm_deferred;

/* State of the orthogonal penalty of one parameter: optim/orthogonal.c. */
typedef struct fm_orthogonal {
    char *memory; /* NULL if the parameter has none */
    ptrdiff_t count, length; /* of the vectors: rows or columns of the kernel */
    float *vectors;      /* [count][padded length], normalized */
    float *packed_vectors; /* [count / 16][length][16] */
    float *packed_vectors_t;   /* [length / 16][count][16] */
    float *slope;        /* [count][padded length] derivative of the penalty by the weights */
    double *sum;         /* [count] Σ |cosine| with the other vectors */
    float *inverse_length; /* [count] */
} fm_orthogonal;

/* Buffers of Muon's Newton–Schulz iteration for the largest matrix, stored with its longer side as rows: optim/newton.c. */
typedef struct fm_newton {
    ptrdiff_t count, grams; /* floats in each */
    float *x, *product;     /* [shorter / 16][longer][16] */
    float *gram, *polynomial; /* [shorter / 16][padded shorter][16] */
} fm_newton;

/* The optimizer's state around the slots: optim/state.c. */
typedef struct fm_optimizer {
    char *memory;
    fm_parameter_rule *rules; /* [parameter_count] */
    float *ema, *accumulator; /* two of the slots, or NULL */
    float *norms[2];      /* [padded units of all parameters] Σ|x| and Σx² of columns */
    ptrdiff_t *units;     /* [parameter_count] offset of a parameter's columns in them */
    fm_orthogonal *orthogonal; /* [parameter_count] */
    float *factor;        /* [maximum rows of a parameter] factors to multiply rows by */
    float *step;          /* [size] steps before they are scaled: optim/layerwise.c */
    fm_newton newton;
    int has_adjustments;          /* penalties, weight decay or clipvalue modify gradients and weights before a step */
    int has_penalties;        /* the loss includes penalties */
    int needs_full_gradient;            /* the step needs all gradients first */
    int has_post_update;          /* an EMA or a constraint follows each update */
    uint64_t product_steps; /* nadam: number of factors in product */
    double product;         /* nadam: product of the momenta, as long as they change */
} fm_optimizer;

/* Measured speed of batches on one thread and on many: run/autotune.c. */
typedef struct fm_autotune {
    double seconds_per_row[2]; /* [0] on one thread, [1] on many */
    double until_probe;        /* seconds of work until both are measured again */
    int threads;               /* thread count that [1] was measured with */
    int probes;                /* number of measurements */
    int runs;                  /* runs of the measurement in progress, which may continue in the next call */
    double best[2];            /* their seconds per row, as above */
    double probe_seconds;      /* their time */
} fm_autotune;

#endif
