/* fastmlp: multilayer perceptrons on a CPU. The interface of the C engine; its comments are the manual.
 *
 * A network is created from a plan (buffers, nodes, parameters), receives parameters, and then predicts. Once it is configured with
 * objectives and an update rule it trains: one call runs many minibatches.
 *
 * Matrices are row-major and contiguous. Every function that can fail returns a status; on failure nothing has changed unless its
 * comment says otherwise. A network may be used from any thread: predictions run concurrently, all other calls run one at a time in
 * order of arrival. Nothing here exits, prints or raises a signal.
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
    FM_STATUS_BAD_PLAN,     /* an invalid plan, objective or index */
    FM_STATUS_BAD_ROW,      /* an entry of `order`, a label or a column of a sparse row is out of range */
    FM_STATUS_NON_FINITE,   /* the loss of a batch is NaN or infinite; its update was not applied */
    FM_STATUS_BUSY,         /* fm_network_try_predict only: the network is being trained or changed */
    FM_STATUS_NOT_READY,    /* train, evaluate or gradients before configure */
    FM_STATUS_INTERRUPTED,  /* a user-defined loss failed, or forked and this is the child process; its batch was not applied */
    FM_STATUS_REENTERED,    /* called from a user-defined loss of the same network, on the same thread */
    FM_STATUS_OCCUPIED, /* a user-defined loss on another thread has been running for more than a second, and this call would modify the network */
    FM_STATUS_STOPPED, /* the hook of fm_set_wait_hook returned non-zero */
    FM_STATUS_NON_FINITE_WEIGHTS, /* every loss was finite, but the last update produced parameters that are not */
    FM_STATUS_STALE, /* the network has been configured again since the caller's task */
} fm_status;

/* What a node does; engine/ops/ops.def has a row for each. */
typedef enum fm_op {
#define FM_OP(name, inputs, traits, validate, saved, forward, backward, update) FM_OP_##name,
#include "engine/ops/ops.def"
    FM_OP_COUNT
} fm_op;

/* The name in plans, such as "dense". */
const char *fm_op_name(fm_op op);

/* Number of buffers it reads: 1, or 2 if nodes have an `other`. */
int fm_op_inputs(fm_op op);

/* True for activations across the columns of a row, such as softmax: plans name them as the activation of an activation node. */
int fm_op_is_activation(fm_op op);

typedef enum fm_mode {
    FM_MODE_NONE,
    FM_MODE_INFERENCE, /* batch normalization uses the moving statistics, also in training */
    FM_MODE_TRAINING, /* noise and batch normalization behave as in training under FM_PHASE_CALLED */
    FM_MODE_INVERT, /* inverse normalization */
    FM_MODE_ONE_HOT, /* category encoding */
    FM_MODE_MULTI_HOT,
    FM_MODE_COUNT,
} fm_mode;

/* The bucket of an integer that is not in a table: its remainder, or that of a hash of its decimal digits. */
typedef enum fm_bucketing { FM_BUCKETING_FLOORMOD, FM_BUCKETING_FARMHASH, FM_BUCKETING_SIPHASH } fm_bucketing;

/* A lookup table: keys[i] is replaced by values[i], any other integer below 2^24 by `first` plus a bucket number in 0 … buckets − 1; NaN
 * without buckets and for all other numbers. */
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
    int kernel,
        bias; /* dense. Other ops store gamma, the scale, PReLU's alpha, embeddings and the coefficients of periodic nodes as kernel; beta and the offset as bias */
    int activation; /* activation nodes: FM_ACTIVATION_*; dense nodes: one whose derivative is a function of its output */
    float
        alpha; /* negative slope of leaky_relu and general_relu, alpha of elu, celu and squareplus, value of threshold; factor of a scale node */
    float threshold,
        max_value; /* general_relu; the threshold also of the shrinks and of threshold; the maximum also of robust scaling, where it is > 0 */
    float rate; /* dropouts; the standard deviation of gaussian noise */
    int mean, variance; /* batch normalization, normalization; the mean also the center of robust scaling */
    float epsilon; /* the normalizations */
    double momentum; /* of the moving statistics */
    fm_mode mode;
    float l1, l2; /* activity: adds l1·Σ|x| + l2·Σx² to the loss of a row and passes x through */
    int other; /* buffer: second input */
    int column; /* slice */
    const int32_t *gathered; /* [columns of the output] gather, missing; copied */
    int depth; /* dot: the length of the vectors */
    int drops; /* category encoding: −1 is dropped instead of becoming NaN */
    fm_table table; /* lookup, discretization */
    const int32_t *edge_counts; /* [columns of the input] piecewise linear nodes: number of edges of each column, 0 or ≥ 2; copied */
    const float *edges; /* [sum of edge_counts] the edges of the columns, end to end, ascending; copied */
} fm_node_spec;

/* Nodes in topological order. A buffer is written once and read by at most one node, except that any number of branches or slices may
 * read it. Nodes may share parameters. Embeddings, category encodings, lookups, discretizations and encodings of numbers
 * (robust_scaling, missing, piecewise_linear, piecewise_linear_embedding) pass no gradient, so what they read must not depend on trainable
 * parameters. */
typedef struct fm_plan {
    int buffer_count, node_count, parameter_count;
    const int64_t *widths; /* [buffer_count] columns of each buffer; buffer 0 is the input */
    const fm_node_spec *nodes;
    const int64_t (*shapes)[2]; /* [parameter_count] {inputs, units} of a kernel, {1, units} of a bias */
    int output; /* the buffer that holds predictions */
    const uint8_t *trainable; /* [parameter_count] 0 for parameters that the optimizer does not update; NULL: it updates all */
} fm_plan;

/* Parameters start at zero. `kernels` must be supported by this processor. */
fm_status fm_network_new(const fm_kernels *kernels, const fm_plan *plan, fm_network **network);
void fm_network_free(fm_network *network);

/* Arrays with an element for each element of a parameter: values, gradients, and from FM_ARRAY_SLOT_0 on the optimizer's slots (see
 * fm_update_slot_name). */
typedef enum fm_array { FM_ARRAY_VALUE, FM_ARRAY_GRADIENT, FM_ARRAY_SLOT_0 } fm_array;

/* A function that is called about every 50 ms while a call waits for the network, on the waiting thread, with no lock held. If it
 * returns anything but 0, the waiting call does nothing and returns FM_STATUS_STOPPED. NULL, the default: wait without interruption. */
typedef int fm_wait_hook(void);
void fm_set_wait_hook(fm_wait_hook *hook);

/* Copies the array of one parameter in the plan's shape, [inputs][units] or [units]; Adafactor's first slot is [inputs], its second
 * [units]. FM_STATUS_NOT_READY if there is no such array yet, FM_STATUS_STALE if slots are requested for another task. */
fm_status fm_network_get(fm_network *network, uint64_t task, fm_array which, int parameter, float *values);
fm_status fm_network_set(fm_network *network, uint64_t task, fm_array which, int parameter, const float *values);

typedef struct fm_metric_spec {
    int kind; /* FM_LOSS_* */
    int source; /* buffer to read: `output` of the objective, or the input of the softmax or sigmoid that writes it */
    int weighted;
    float threshold;
    float smoothing; /* of the targets: see fm_objective */
    float parameter[3]; /* see fm_loss in kernels/kernels.h */
} fm_metric_spec;

/* A user-defined loss of all rows of a batch, called on the thread that called the engine. Writes loss[r] for each row and, where grad
 * is not NULL, the derivative (see fm_loss in kernels/kernels.h; the engine applies weights and scale). A return value other than 0 ends
 * the call with FM_STATUS_INTERRUPTED. The function must not use the network, which would return FM_STATUS_REENTERED; other threads may
 * predict and read parameters in the meantime. */
typedef int fm_loss_function(void *context, const struct fm_loss *arguments);

typedef struct fm_objective {
    int loss; /* FM_LOSS_*, not an accuracy; -1 with a function */
    int source; /* buffer the loss reads: `output`, or the input of the softmax or sigmoid that writes it */
    int metric_count;
    const fm_metric_spec *metrics;
    int output; /* buffer of the predictions */
    double weight; /* weight of this loss in the total */
    float smoothing; /* label smoothing of cross-entropies: fraction of each target that is spread over all classes, or over 0 and 1 */
    float parameter[3];
    int ignores; /* rows with this label are excluded, and the loss is the mean over the others; for losses with integer labels */
    int32_t ignored; /* any number */
    fm_loss_function *function; /* or NULL */
    void *context; /* first argument of the function; must stay valid until the next configure */
    ptrdiff_t targets; /* with a function: columns of a row's targets, if not those of the predictions; no metrics then. 0: as many */
} fm_objective;

/* FM_CONSTRAINT_NORM keeps a norm of weights in a range: w *= d / (n + 1e-7), d = rate·min(max(n, min_value), max_value) + (1 − rate)·n. */
typedef enum fm_constraint { FM_CONSTRAINT_FREE, FM_CONSTRAINT_NON_NEGATIVE, FM_CONSTRAINT_NORM } fm_constraint;
typedef enum fm_axis {
    FM_AXIS_EACH_UNIT,
    FM_AXIS_EACH_INPUT,
    FM_AXIS_ALL
} fm_axis; /* the norm of each column, of each row, or of the whole parameter */

/* Penalty, constraint and exceptions of one parameter. */
typedef struct fm_parameter_rule {
    double l1, l2; /* the loss grows by l1·Σ|w| + l2·Σw² */
    double orthogonal; /* … and by this times the mean |cosine| of two different rows, or columns */
    int orthogonal_columns;
    int constraint; /* fm_constraint, applied after each update */
    int axis; /* of FM_CONSTRAINT_NORM: FM_AXIS_EACH_UNIT, … */
    double min_value, max_value, rate;
    int undecayed; /* excluded from weight decay */
    int matrix; /* adafactor: mean squares are kept by row (slot 0) and column (slot 1); muon: updated along orthogonal matrices without slot 1, where other parameters are updated by Adam */
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
    double clipnorm, global_clipnorm, clipvalue; /* maximum norm of each gradient, of all gradients together, maximum absolute value */
    int64_t accumulate; /* number of batches whose mean gradient makes one step */
    int ema; /* keep an EMA of the parameters in a slot: a = ema_momentum·a + (1 − ema_momentum)·w */
    double ema_momentum;
    int64_t ema_overwrite_frequency; /* number of steps after which the parameters are replaced by it */
    const fm_parameter_rule *parameters; /* [parameter_count], or NULL; copied */
} fm_update_spec;

/* The name of an array that an optimizer keeps for each parameter, FM_ARRAY_SLOT_0 + slot: those of its rule, then "average" and
 * "gradient_accumulator" if it has them; NULL past the last. */
const char *fm_update_slot_name(const fm_update_spec *update, int slot);

/* Configures the network for training: minimise the weighted sum of the objectives. No needed node may read the output of an objective.
 * Slots and iterations start at zero, except that the accumulators of adagrad and ftrl start at initial_accumulator and the first slot
 * of schedule_free at the parameters when the first batch is trained. *task identifies this configuration; calls that depend on it pass
 * it, and return FM_STATUS_STALE once another thread has configured the network again. */
fm_status fm_network_configure(fm_network *network, const fm_objective *objectives, int count, const fm_update_spec *update,
                               uint64_t *task);

/* Scalars that may be read at any time without waiting. Setting one waits for the network, so that no step sees two values. */
typedef struct fm_state {
    uint64_t seed; /* keys dropout */
    uint64_t iterations; /* updates done */
    double learning_rate;
    double
        skip_below; /* fraction of non-zeros, found in a few rows, below which the first layer skips zeros; 0 never, above 1 always, negative: the engine's default. The bits do not depend on it */
    int unfused; /* not 0: gradients are stored before the update instead of being consumed in the epilogue; the bits are the same */
} fm_state;
typedef enum fm_field { FM_FIELD_SEED, FM_FIELD_ITERATIONS, FM_FIELD_LEARNING_RATE, FM_FIELD_SKIP_BELOW, FM_FIELD_UNFUSED } fm_field;
fm_state fm_network_state(const fm_network *network);
fm_status fm_network_set_state(fm_network *network, fm_field field, fm_state state);

/* True on a thread that is inside a user-defined loss called by this network. */
int fm_network_is_mine(const fm_network *network);

/* The effective skip_below for dense rows. */
double fm_network_skip_below(const fm_network *network);

/* Sparse rows (CSR): row r has value[e] in column[e] for begin[r] ≤ e < begin[r + 1], with columns ascending. FM_STATUS_BAD_ROW if they
 * do not ascend, or are out of range. */
typedef struct fm_csr {
    const int64_t *begin; /* [rows + 1] */
    const int32_t *column;
    const float *value;
    int64_t entries; /* in column and in value */
} fm_csr;

/* The first row that violates fm_csr for a network of this width, or −1. */
int64_t fm_first_bad_row(const fm_csr *x, int64_t rows, int64_t inputs);

/* Training data and its division into batches: batch i is rows order[i·batch_size …]; the last one may be shorter. */
typedef struct fm_batches {
    uint64_t task; /* of fm_network_configure; FM_STATUS_STALE if the network has another one by now */
    int64_t rows, batch_size;
    const float *x; /* [rows][inputs], or NULL and */
    const uint8_t *x_uint8; /* [rows][inputs], or NULL and */
    const fm_csr *x_csr;
    const float *y; /* [rows][outputs], half as many columns for gaussian_nll; or NULL and */
    const int32_t *
        labels; /* [rows] for a loss with integer labels. With several losses, y is [rows][columns of all], with one column of labels for each such loss */
    const float *sample_weight; /* [rows][weights] or NULL */
    int weights; /* columns of sample_weight: 1, or one for each loss */
    const uint32_t *order; /* [rows] or NULL */
    const double *rates; /* [batches] learning rates for training; NULL: the state's */
    float *
        predictions; /* [rows of the batches run][outputs of the losses, side by side] to write, in the order of the batches from *next on; or NULL */
} fm_batches;

/* Applies all deferred updates. Rows of the first kernel defer their updates while their input is zero, rows of the table of an embedding
 * while they are not looked up; reading parameters, slots or predictions flushes them, so no bit depends on it. Only with the hyperparameter `rounded` do the bits depend on when they are flushed. */
fm_status fm_network_flush(fm_network *network);

/* Trains on the batches *next … stop − 1 and returns at a batch boundary once `seconds` have passed, after at least one batch. The
 * learning rate is the state's, which `rates` replaces where given. *next becomes the number of the next batch. Adds to totals: Σ
 * loss·rows, rows, then for each metric Σ value·weight, Σ weight. With several losses the first two are those of the weighted sum, and
 * the metrics of each loss are preceded by its own two. FM_STATUS_NON_FINITE leaves *next at the batch whose loss was not finite. */
fm_status fm_network_train(fm_network *network, const fm_batches *batches, int64_t *next, int64_t stop, double seconds, double *totals);

/* Like fm_network_train without dropout and updates; a loss may be infinite or NaN. */
fm_status fm_network_evaluate(fm_network *network, const fm_batches *batches, int64_t *next, int64_t stop, double seconds, double *totals);

/* Loss and gradients of batch 0, penalties included, as in training; nothing is updated. gradients has an array in the plan's shape for
 * each parameter, or NULL. */
fm_status fm_network_gradients(fm_network *network, const fm_batches *batches, double *loss, float *const *gradients);

/* One step of the optimizer with these gradients, an array in the plan's shape for each parameter. Penalties are not added to them, and
 * parameters with NULL stay as they are; where gradients are accumulated, NULL is a gradient of zeros. FM_STATUS_NON_FINITE_WEIGHTS if the
 * step leaves NaN or infinity. */
fm_status fm_network_apply_gradients(fm_network *network, uint64_t task, const float *const *gradients);

/* Moves the first `count` parameters towards those of a network with the same shapes: value = share·source + (1 − share)·value. */
fm_status fm_network_blend(fm_network *network, fm_network *source, int count, float share);

/* Writes predictions out[rows][outputs] for x[rows][inputs]. Any number of threads may predict at once. */
typedef struct fm_input {
    int64_t rows;
    const float *x; /* or NULL and */
    const uint8_t *x_uint8; /* or NULL and */
    const fm_csr *x_csr;
} fm_input;
fm_status fm_network_predict(fm_network *network, const fm_input *input, float *out);

/* Like fm_network_predict, but returns FM_STATUS_BUSY instead of waiting. */
fm_status fm_network_try_predict(fm_network *network, const fm_input *input, float *out);

/* Which nodes behave as in training, with noise and batch statistics: all, or those of FM_MODE_TRAINING. */
typedef enum fm_phase { FM_PHASE_TRAINING, FM_PHASE_CALLED } fm_phase;

/* A prediction in which some nodes behave as in training. Noise depends on seed, iteration and `draw`, which the caller increments for
 * new noise; draw 0 is the noise of training. Any number of threads may call this at once. */
fm_status fm_network_apply(fm_network *network, const fm_input *input, fm_phase phase, uint64_t draw, float *out);

/* Fills order with the permutation of 0 … n − 1 for this seed and epoch; n < 2³². */
void fm_shuffle(uint64_t seed, uint64_t epoch, uint32_t *order, int64_t n);

/* Version and compiler of this build. */
const char *fm_version(void);
const char *fm_compiler(void);

/* The index of the first NaN or infinity, or -1. */
int64_t fm_first_nonfinite(const float *values, int64_t n);

/* Maximum number of threads of a call, the caller's included; 1 at first. The thread team is created when first needed and sleeps
 * between calls. Only one call at a time uses it; concurrent calls run on their own thread. After fork the child creates its own. */
void fm_set_threads(int count);
int fm_get_threads(void);

#endif
