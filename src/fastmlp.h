/* fastmlp: multilayer perceptrons on a CPU. The C interface; its comments are the manual.
 *
 * A network is made from a plan (buffers, nodes, parameters), filled with parameters, and then predicts; once configured with an
 * objective and an update rule it trains: many minibatches a call, the caller holding nothing.
 *
 * Matrices are row-major and contiguous. Every function that can fail returns a status; on failure nothing has changed, unless it says
 * otherwise. A network may be used from any thread: predictions run at the same time, everything else one call at a time, waiting for
 * its turn, in the order of coming. Nothing here exits, prints or raises a signal.
 */
#ifndef FASTMLP_H
#define FASTMLP_H

#include "kernels/include/names.h"

#include <stddef.h>
#include <stdint.h>

typedef struct fm_network fm_network;
typedef struct fm_kernels fm_kernels; /* one instruction set's kernels: see kernels/kernels.h */
struct fm_loss;

typedef enum fm_status {
    FM_STATUS_OK,
    FM_STATUS_NO_MEMORY,    /* an allocation failed, or its size does not fit size_t */
    FM_STATUS_BAD_PLAN,     /* a plan, objective or index that makes no sense */
    FM_STATUS_BAD_ROW,      /* an entry of `order`, a label or a column of a sparse row is out of range */
    FM_STATUS_NON_FINITE,   /* a batch's loss is NaN or infinite; its update was not applied */
    FM_STATUS_BUSY,         /* fm_network_try_predict only: the network is being trained or changed just now */
    FM_STATUS_NOT_READY,    /* train, evaluate or gradients before configure */
    FM_STATUS_INTERRUPTED,  /* the caller's own loss function failed, or forked and this is the child; its batch was not applied */
    FM_STATUS_REENTERED,    /* called from a loss function of the same network, on the same thread */
    FM_STATUS_OCCUPIED, /* this call would change what a loss function of another thread is in the middle of, which takes more than a second */
    FM_STATUS_STOPPED, /* the hook of fm_set_wait_hook says so */
    FM_STATUS_NON_FINITE_WEIGHTS, /* every loss was finite, but the update of the last batch of all left weights that are not */
    FM_STATUS_STALE, /* the network was configured anew since the caller's task */
} fm_status;

/* What a node does; engine/ops/ops.def has a row for each. */
typedef enum fm_op {
#define FM_OP(name, inputs, traits, validate, saved, forward, backward) FM_OP_##name,
#include "engine/ops/ops.def"
    FM_OP_COUNT
} fm_op;

/* As plans have it, such as "dense". */
const char *fm_op_name(fm_op op);

/* Buffers that it reads: 1, or 2 where a node has an `other`. */
int fm_op_inputs(fm_op op);

/* True for activations across the columns of a row, such as softmax: plans name them as the activation of an activation node. */
int fm_op_is_activation(fm_op op);

typedef enum fm_mode {
    FM_MODE_NONE,
    FM_MODE_INFERENCE, /* batch normalization by the moving statistics, while training as well */
    FM_MODE_TRAINING, /* noise and batch normalization as in training where fm_network_apply asks for FM_PHASE_CALLED */
    FM_MODE_INVERT, /* normalization the other way round */
    FM_MODE_ONE_HOT, /* category encoding */
    FM_MODE_MULTI_HOT,
    FM_MODE_COUNT,
} fm_mode;

/* Which bucket an integer gets that is not in a table: the remainder, or that of a hash of its decimal digits. */
typedef enum fm_bucketing { FM_BUCKETING_FLOORMOD, FM_BUCKETING_FARMHASH, FM_BUCKETING_SIPHASH } fm_bucketing;

/* What numbers are replaced by: keys[i] by values[i], any other integer below 2^24 by `first` plus one of 0 … buckets − 1; NaN without
 * buckets, and for anything else. */
typedef struct fm_table {
    int64_t entries;
    const float *keys; /* [entries] ascending; copied */
    const float *values; /* [entries] of a lookup; copied */
    int32_t first, buckets;
    fm_bucketing method;
    uint64_t salt[2]; /* FM_BUCKETING_SIPHASH */
} fm_table;

/* One step of the forward pass. `kernel`, `bias`, `mean` and `variance` are indices of parameters, -1 for none. */
typedef struct fm_node_spec {
    fm_op op;
    int input, output; /* buffers */
    int kernel, bias; /* dense; kernel: gamma, the scale, PReLU's alpha, the embeddings; bias: beta, the offset */
    int activation; /* activation: FM_ACTIVATION_*; dense: the same, but none whose derivative needs its input */
    float alpha; /* slope of leaky_relu and general_relu, alpha of elu, celu and squareplus, value of threshold; factor of a scale */
    float threshold, max_value; /* general_relu; threshold: the shrinks and threshold as well */
    float rate; /* dropouts; the standard deviation of gaussian noise */
    int mean, variance; /* batch normalization, normalization */
    float epsilon; /* the normalizations */
    double momentum; /* of the moving statistics */
    fm_mode mode;
    float l1, l2; /* activity, which adds l1·Σ|x| + l2·Σx² to the loss of a row and leaves x as it is */
    int other; /* buffer: second input */
    int column; /* slice */
    const int32_t *gathered; /* [columns of the output] gather; copied */
    int depth; /* dot: the length of the vectors */
    int drops; /* category encoding: −1 counts for no column, instead of giving NaN */
    fm_table table; /* lookup, discretization */
} fm_node_spec;

/* Nodes in an order in which each reads what the network's input or a node before it has written. A buffer is written once and read by one
 * node at most, unless all that read it are branches or slices. Nodes may have the same parameters. No gradient goes through embeddings,
 * category encodings, lookups and discretizations, so what they read depends on no parameter that the optimizer moves. */
typedef struct fm_plan {
    int buffer_count, node_count, parameter_count;
    const int64_t *widths; /* [buffer_count] columns of each buffer; buffer 0 is the input */
    const fm_node_spec *nodes;
    const int64_t (*shapes)[2]; /* [parameter_count] {inputs, units} of a kernel, {1, units} of a bias */
    int output; /* the buffer that holds predictions */
    const uint8_t *trainable; /* [parameter_count] 0 where the optimizer leaves a parameter alone; NULL: it moves all */
} fm_plan;

/* Parameters start at zero. `kernels` must be supported by this processor. */
fm_status fm_network_new(const fm_kernels *kernels, const fm_plan *plan, fm_network **network);
void fm_network_free(fm_network *network);

/* What is learnt and remembered, one array for each parameter: its value, the gradient, and from FM_ARRAY_SLOT_0 on the optimizer's slots: those
 * of its rule, then the average and then the sum of gradients, as far as it has them. */
typedef enum fm_array { FM_ARRAY_VALUE, FM_ARRAY_GRADIENT, FM_ARRAY_SLOT_0 } fm_array;

/* Called about every 50 ms, and by nobody who holds anything, while a call waits for its turn; a call that it answers with anything but 0 does
 * nothing and returns FM_STATUS_STOPPED. NULL, as at the beginning, lets them wait. */
typedef int fm_wait_hook(void);
void fm_set_wait_hook(fm_wait_hook *hook);

/* Copies one parameter's array in the plan's shape, [inputs][units] or [units]; the first slot of adafactor is [inputs], the second [units]. FM_STATUS_NOT_READY if there is no such array yet, FM_STATUS_STALE if slots
 * are wanted that belong to another task. */
fm_status fm_network_get(fm_network *network, uint64_t task, fm_array which, int parameter, float *values);
fm_status fm_network_set(fm_network *network, uint64_t task, fm_array which, int parameter, const float *values);

typedef struct fm_metric_spec {
    int kind; /* FM_LOSS_* */
    int source; /* the buffer it reads: `output` of the objective, or the input of the softmax or sigmoid that writes it */
    int weighted;
    float threshold;
    float smoothing; /* of the targets: see fm_objective */
    float parameter[3]; /* see fm_loss in kernels/kernels.h */
} fm_metric_spec;

/* A loss that the caller computes, of all rows of a batch, on the thread that called the engine: fills loss with the value of each row and,
 * where it is given, grad with the value's derivative (see fm_loss in kernels/kernels.h; the engine weights and scales them itself).
 * Anything but 0 ends the call with FM_STATUS_INTERRUPTED. It may not use the network, which answers FM_STATUS_REENTERED; other threads may look at the
 * network meanwhile: predict, read parameters. */
typedef int fm_loss_function(void *context, const struct fm_loss *arguments);

typedef struct fm_objective {
    int loss; /* FM_LOSS_*, not an accuracy; -1 with a function */
    int source; /* the buffer the loss reads: `output`, or the input of the softmax or sigmoid that writes it */
    int metric_count;
    const fm_metric_spec *metrics;
    int output; /* the buffer that holds the predictions */
    double weight; /* of this loss in the sum of all */
    float smoothing; /* cross-entropies: this share of a target is spread over all classes, or over yes and no */
    float parameter[3];
    int ignores; /* rows with this label do not count, and what is left of a batch has its mean; for losses of labels */
    int32_t ignored; /* any number */
    fm_loss_function *function; /* or NULL */
    void *context; /* the function's first argument; has to stay valid until the next configure */
} fm_objective;

/* A norm of weights is kept between two numbers: w *= d / (n + 1e-7), d = rate·min(max(n, least), most) + (1 − rate)·n. */
typedef enum fm_constraint { FM_CONSTRAINT_FREE, FM_CONSTRAINT_NON_NEGATIVE, FM_CONSTRAINT_NORM } fm_constraint;
typedef enum fm_axis {
    FM_AXIS_EACH_UNIT,
    FM_AXIS_EACH_INPUT,
    FM_AXIS_ALL
} fm_axis; /* what weights a norm is taken of: a column's, a row's, all */

/* What is particular to one parameter. */
typedef struct fm_parameter_rule {
    double l1, l2; /* the loss grows by l1·Σ|w| + l2·Σw² */
    double orthogonal; /* … and by this times the mean |cosine| of two of its rows, or columns */
    int orthogonal_columns;
    int constraint; /* FM_CONSTRAINT_FREE, …: what is done to it after each update */
    int axis; /* of FM_CONSTRAINT_NORM: FM_AXIS_EACH_UNIT, … */
    double min_value, max_value, rate;
    int undecayed; /* weight_decay is not for it */
    int matrix; /* adafactor: its squares are kept as means of rows, in the first slot, and of columns, in the second; muon: it moves along
                 * orthogonal matrices, without the second slot, and what is none by Adam */
} fm_parameter_rule;

/* An optimizer: its rule, with hyperparameters by name, and what surrounds its step. 0 disables an option. Hyperparameters of other rules are
 * ignored; fastmlp/_engine/spec.py says what each means. */
typedef struct fm_update_spec {
    int kind; /* FM_OPTIMIZER_* */
    union {
        struct {
#define FM_HYPERPARAMETER(name) double name;
#include "kernels/kernels.def"
        };
        double hyperparameters[FM_HYPERPARAMETER_COUNT]; /* the same in the order of kernels.def: fm_hyperparameter_name */
    };
    double weight_decay; /* w −= learning rate·weight_decay·w before a step */
    double clipnorm, global_clipnorm, clipvalue; /* the longest gradient of a parameter, of all parameters, of a number */
    int64_t accumulate; /* a step is taken every so many batches, with the mean of their gradients */
    int ema; /* a slot follows the parameters: a = ema_momentum·a + (1 − ema_momentum)·w */
    double ema_momentum;
    int64_t ema_overwrite_frequency; /* … and takes their place every so many steps */
    const fm_parameter_rule *parameters; /* [parameter_count], or NULL; copied */
} fm_update_spec;

/* The name of an array that an optimizer keeps for each parameter, FM_ARRAY_SLOT_0 + slot: those of its rule, then "average" and
 * "gradient_accumulator" if it has them; NULL past the last. */
const char *fm_update_slot_name(const fm_update_spec *update, int slot);

/* Says what training does: minimise the weighted sum of some losses, each of an output that no node reads which a loss needs. Slots and
 * iterations start at zero, the accumulators of adagrad and ftrl at initial_accumulator, the first slot of schedule_free at the parameters,
 * as they are when the first batch is trained on. *task becomes the number of what the network is configured for now: calls that depend on
 * it name it, and are refused once another thread has configured the network for something else. */
fm_status fm_network_configure(fm_network *network, const fm_objective *objectives, int count, const fm_update_spec *update,
                               uint64_t *task);

/* Numbers that may be read at any time, without waiting, and set between two calls: setting one waits for its turn, so no step sees two values. */
typedef struct fm_state {
    uint64_t seed; /* keys dropout */
    uint64_t iterations; /* updates done */
    double learning_rate;
    double skip_below; /* share of non-zeros in the input below which the first layer visits only those, found by looking at a few rows; 0
                        * never skips, anything above 1 always. A negative share leaves it to the engine, as in a new network. The bits are
                        * the same either way */
    int unfused; /* not 0: each gradient goes through memory before the update. The bits are the same */
} fm_state;
typedef enum fm_field { FM_FIELD_SEED, FM_FIELD_ITERATIONS, FM_FIELD_LEARNING_RATE, FM_FIELD_SKIP_BELOW, FM_FIELD_UNFUSED } fm_field;
fm_state fm_network_state(const fm_network *network);
fm_status fm_network_set_state(fm_network *network, fm_field field, fm_state state);

/* True in a loss function that this network has called, on this thread. */
int fm_network_is_mine(const fm_network *network);

/* The share of non-zeros in force for rows with their zeros. */
double fm_network_skip_below(const fm_network *network);

/* Rows without their zeros (compressed sparse rows): row r has the numbers value[e] in the columns column[e], begin[r] ≤ e < begin[r + 1].
 * The columns of a row ascend. FM_STATUS_BAD_ROW where they do not, or where a row leaves the arrays or the network's width. */
typedef struct fm_csr {
    const int64_t *begin; /* [rows + 1] */
    const int32_t *column;
    const float *value;
    int64_t entries; /* in column and in value */
} fm_csr;

/* The first of the rows that is not as fm_csr says for a network of this width, or −1. */
int64_t fm_first_bad_row(const fm_csr *x, int64_t rows, int64_t inputs);

/* Rows and how they are cut: batch i is rows order[i·batch_size …], the last one may be shorter. */
typedef struct fm_batches {
    uint64_t task; /* see fm_network_configure; FM_STATUS_STALE if the network has another one by now */
    int64_t rows, batch_size;
    const float *x; /* [rows][inputs], or NULL and */
    const uint8_t *x_uint8; /* [rows][inputs], or NULL and */
    const fm_csr *x_csr;
    const float *y; /* [rows][outputs], half as many columns for gaussian_nll; or NULL and */
    const int32_t *labels; /* [rows] for a sparse loss. With several losses y is [rows][columns of all], sparse ones having one column */
    const float *sample_weight; /* [rows][weights] or NULL */
    int weights; /* one for all losses, or one for each */
    const uint32_t *order; /* [rows] or NULL */
    const double *rates; /* the learning rate of each batch, for training; or NULL for the state's */
    float
        *predictions; /* [rows of the batches run][outputs of the losses, side by side] to fill, in the order of the batches from *next on,
                         * or NULL */
} fm_batches;

/* Rows of the first kernel put off steps while their input is zero. Whoever looks at parameters, slots or predictions sees none of that,
 * and no bit depends on it; but with `rounded` the bits depend on when somebody looks, or calls this, which settles all of them. */
fm_status fm_network_flush(fm_network *network);

/* Trains on the batches *next … stop − 1, at the state's learning rate, which follows `rates` where they are given; returning early at a
 * batch boundary once `seconds` have passed; at least one batch is done.
 * *next becomes the number of the next batch. Adds to totals: Σ loss·rows, rows, then for each metric Σ value·weight, Σ weight. With several
 * losses the first two are of their weighted sum, and before the metrics of each stand the same two of it alone.
 * FM_STATUS_NON_FINITE leaves *next at the batch whose loss was not finite. */
fm_status fm_network_train(fm_network *network, const fm_batches *batches, int64_t *next, int64_t stop, double seconds, double *totals);

/* The same without dropout and updates; a loss may be anything. */
fm_status fm_network_evaluate(fm_network *network, const fm_batches *batches, int64_t *next, int64_t stop, double seconds, double *totals);

/* Loss and gradients of batch 0, penalties included, as training would see it; nothing moves. gradients has an array for each parameter, in the
 * plan's shape, or NULL. */
fm_status fm_network_gradients(fm_network *network, const fm_batches *batches, double *loss, float *const *gradients);

/* out[rows][outputs] from x[rows][inputs]. Many threads may predict at once. */
typedef struct fm_input {
    int64_t rows;
    const float *x; /* or NULL and */
    const uint8_t *x_uint8; /* or NULL and */
    const fm_csr *x_csr;
} fm_input;
fm_status fm_network_predict(fm_network *network, const fm_input *input, float *out);

/* The same, but answers FM_STATUS_BUSY at once where fm_network_predict would wait. */
fm_status fm_network_try_predict(fm_network *network, const fm_input *input, float *out);

/* Which nodes are as in training, noise on and moments those of all rows: all, or those of FM_MODE_TRAINING. */
typedef enum fm_phase { FM_PHASE_TRAINING, FM_PHASE_CALLED } fm_phase;

/* A prediction with such nodes. Noise depends on seed, iteration and `draw`, a number that the caller counts up to get other noise; that of
 * draw 0 is what training would see. Many threads may call this at once. */
fm_status fm_network_apply(fm_network *network, const fm_input *input, fm_phase phase, uint64_t draw, float *out);

/* Fills order with the permutation of 0 … n − 1 for this seed and epoch; n < 2³². */
void fm_shuffle(uint64_t seed, uint64_t epoch, uint32_t *order, int64_t n);

/* What this build is. */
const char *fm_version(void);
const char *fm_compiler(void);

/* The index of the first NaN or infinity, or -1. */
int64_t fm_first_nonfinite(const float *values, int64_t n);

/* The most threads a call may use, the caller's included; starts at 1. A team of threads is made when first needed and sleeps between calls.
 * Only one call at a time has the team; another one runs on its own thread alone. After fork the child makes a team of its own. */
void fm_set_threads(int count);
int fm_get_threads(void);

#endif
