/* The engine's structures. It knows layers, batches and threads, and no instruction set: arithmetic on arrays is a kernel's work. */
#ifndef FASTMLP_ENGINE_H
#define FASTMLP_ENGINE_H

#include "fastmlp.h"
#include "kernels/kernels.h"
#include "engine/base/fpmode.h"
#include "engine/base/lock.h"

#include <pthread.h>
#include <stdatomic.h>

#define FM_ALIGNMENT 64
#define FM_BLOCK_ROWS 192  /* most rows of a GEMM block, a whole number of tiles */
#define FM_STRIP_ROWS 48   /* least, where there are as many */
#define FM_BLOCK_FLOATS (96 << 10) /* of the rows' operand: 384 KiB, which stay in a second cache of 512 KiB while panels stream past */
#define FM_BLOCK_PANELS 4  /* panels of a block whose sums go through scratch; the widest tile takes two, a sparse one four */
#define FM_DEPTH_BLOCK 320 /* terms of a sum between two visits of c: a panel of 20 KiB stays in a 32 KiB first cache */
#define FM_MAX_THREADS 64
#define FM_WHOLE_BELOW 16777216.0f /* 2^24: whole numbers below it are exact in a float */
#define FM_SLOTS (FM_RULE_SLOTS + 2) /* a rule's, the average and the sum of gradients */

/* -- sizes ------------------------------------------------------------------------------------------------------------------------- */

/* Lays arrays out one after another, each aligned; `overflow` remembers a size that does not fit. */
typedef struct fm_layout {
    size_t bytes;
    int overflow;
} fm_layout;

/* Offset of the next array, of rows × columns elements of `size` bytes. */
size_t fm_layout_add(fm_layout *layout, ptrdiff_t rows, ptrdiff_t columns, size_t size);

/* Zeroed, aligned memory for a layout, or NULL. Free with free(). */
char *fm_layout_allocate(const fm_layout *layout);

/* -- threads: base/team.c ---------------------------------------------------------------------------------------------------------- */

/* One of the threads that run a call together. */
typedef struct fm_worker {
    int id, count;
} fm_worker;

typedef void fm_team_task(void *argument, fm_worker worker);

/* Runs task on up to `count` threads at once, this one included as worker 0, and returns when all are done. */
void fm_team_run(fm_team_task *task, void *argument, int count);

/* Waits until all workers of the call are here. Nothing to do for a worker alone. */
void fm_team_barrier(fm_worker worker);

/* Half-open range of the units 0 … count − 1 that this worker takes. */
typedef struct fm_range {
    ptrdiff_t begin, end;
} fm_range;
fm_range fm_share(ptrdiff_t count, fm_worker worker);

/* Rows of a batch, in groups of 16, that this worker takes. */
fm_range fm_share_rows(ptrdiff_t rows, fm_worker worker);

/* -- the network: run/network.c ---------------------------------------------------------------------------------------------------- */

typedef struct fm_node {
    fm_node_spec spec;
    ptrdiff_t inputs, units; /* widths of the buffers read and written */
    ptrdiff_t panels;        /* dense: weight panels of 16 units */
    ptrdiff_t kernel, bias;  /* offsets into the parameter arrays; -1 for none */
    ptrdiff_t mean, variance;
    int kernel_moves, bias_moves; /* the optimizer moves them */
    int trained_below;       /* its input depends on parameters that move: the gradient of it is wanted */
    int trained_other;       /* the same for its second input */
    int needed;              /* the objective needs its output, and does not compute it itself; or its own statistics do */
    int reached;             /* the gradient of the loss comes to its output, and goes on from there */
    int first_back;          /* branch: its gradient is the first that its input gets, so it may as well be that one */
    int derived;             /* the gradient of its output arrives multiplied by the activation's derivative */
    int in_panels;           /* dense: … and in panels, transposed as well if the gradient of its input is wanted */
    const struct fm_node *producer; /* the node that writes its input; NULL for the network's input */
} fm_node;

/* A batch's input without its zeros: row r has value[e] in column index[e], begin[r] ≤ e < end[r]; columns ascend. */
typedef struct fm_lists {
    const int32_t *index;
    const float *value;
    ptrdiff_t *begin, *end; /* [rows] */
} fm_lists;

/* The same by columns: a worker's share of those in which anything stands. */
typedef struct fm_columns {
    fm_range range;  /* the columns this worker looked through */
    ptrdiff_t count; /* of them that are not all zero */
    int32_t *column; /* [count] */
    ptrdiff_t late;  /* of those, how many have put off updates */
    int32_t *behind; /* [late] */
    ptrdiff_t *begin, *end; /* [count] the entries of a column */
    int32_t *index;         /* rows of the batch, ascending in each column */
    float *value;
    ptrdiff_t *from, *to; /* [rows] the entries of each row that lie in range */
    char *memory;
    ptrdiff_t column_room, entry_room;
} fm_columns;

/* What one loss reads besides its predictions, and what it and its metrics give. */
typedef struct fm_targets {
    float *y;        /* [rows][stride of the output] */
    float *smoothed; /* the same, NULL where no target is smoothed */
    int32_t *labels; /* [rows] */
    int32_t *kept;   /* [rows] the labels, 0 for those that are ignored; NULL where none is */
    float *counted;  /* [rows] what rows weigh in the loss where some are ignored */
    float *weight;   /* [rows] */
    float *loss;     /* [rows] */
    float *metric;   /* [metric][rows] */
} fm_targets;

/* One of the losses whose weighted sum is minimised. */
typedef struct fm_term {
    fm_objective objective;
    ptrdiff_t column, columns; /* of y */
} fm_term;

/* What a workspace has room for besides the values of the buffers. */
enum {
    FM_ROOM_FOR_NOISE = 1,     /* what nodes that train keep: masks and moments */
    FM_ROOM_FOR_TARGETS = 2,   /* loss and metrics */
    FM_ROOM_FOR_GRADIENTS = 4, /* and the products that they are made of */
    FM_ROOM_FOR_TRAINING = 7,
};

/* Memory for one batch. Columns are padded to multiples of 16 everywhere; rows only where they are written 16 at a time. */
typedef struct fm_workspace {
    ptrdiff_t rows; /* capacity */
    int workers;    /* threads there is scratch for */
    int room;       /* FM_ROOM_FOR_… */
    size_t bytes;   /* of `memory` */
    char *memory;
    char *input_memory; /* of value[0]; NULL until rows come with their zeros */
    float **value;   /* [buffer] -> [rows][stride] */
    float **grad;    /* [buffer] -> [rows][stride], dLoss/dbuffer; none of the input, nor where it arrives in panels */
    float **panels;  /* [output of a dense node] -> [panel][rows][16], the gradient of its sums; may be `grad` where that is the same */
    float **strips;  /* [output of a dense node] -> [strip of 16 rows][padded width][16], the same transposed */
    float **mask;    /* [node] -> [rows][stride] of a dropout node */
    float **memo;    /* [node] -> what a node of ops/norm.c or ops/embedding.c keeps for its way back */
    struct fm_targets *targets; /* [term] */
    float *activity; /* [rows] penalties on what layers give */
    float *scratch;  /* [workers][FM_BLOCK_PANELS][FM_BLOCK_ROWS][16] sums on their way to a transpose or an update */
    float *packed;   /* [workers][packed_floats] the rows' operand of a block, in the order in which tiles read it */
    ptrdiff_t packed_floats;
    char *list_memory; /* NULL until a sparse input comes */
    fm_lists by_row;
    char *compressed_memory; /* NULL until zeros are found in dense rows */
    int32_t *compressed_index; /* [rows][inputs] */
    float *compressed_value;   /* [rows][inputs] */
    fm_columns *columns;       /* [workers]; NULL until the gradient of a sparse input is wanted */
    int32_t *place;            /* [inputs] zero between batches */
} fm_workspace;

#define FM_LAZY_STEPS 4096

/* Steps that rows of the first kernel have put off: optim/deferred.c. */
typedef struct fm_lazy {
    char *memory;         /* NULL until wanted */
    ptrdiff_t steps;      /* since all rows were up to date; 0 means they are */
    float *learning_rate; /* [FM_LAZY_STEPS] of each of them */
    float highest_rate;
    uint32_t *done; /* [inputs] how many of them a row has taken */
    ptrdiff_t reach;                   /* adam, rounded: steps after which momentum moves nothing any more; 0: take every step */
    float (*series)[FM_SERIES];        /* [FM_LAZY_STEPS] what a row adds up that has taken so many */
    const float (*weights)[FM_SERIES]; /* [reach] of the learning rate of a row's next step, the one after, … in its series */
    const float (*fade)[2];            /* [FM_LAZY_STEPS + 1] what is left of both slots after so many steps */
} fm_lazy;

/* What the penalty on a parameter's angles needs: optim/orthogonal.c. */
typedef struct fm_orthogonal {
    char *memory; /* NULL where there is none */
    ptrdiff_t count, length; /* of its vectors: rows of a kernel, or columns */
    float *vectors;      /* [count][padded length] of length 1 */
    float *side_by_side; /* [count / 16][length][16] */
    float *end_to_end;   /* [length / 16][count][16] */
    float *slope;        /* [count][padded length] the penalty's derivative by the weights */
    double *sum;         /* [count] Σ |cosine| with the others */
    float *inverse_length; /* [count] */
} fm_orthogonal;

/* What is done around the optimizer's steps: optim/update.c. */
typedef struct fm_surroundings {
    char *memory;
    fm_parameter_rule *rules; /* [parameter_count] */
    float *average, *accumulator; /* two of the slots, or NULL */
    float *norms[2];      /* [padded units of all parameters] Σ|x| and Σx² of columns */
    ptrdiff_t *units;     /* [parameter_count] where a parameter's columns begin in them */
    fm_orthogonal *orthogonal; /* [parameter_count] */
    float *factor;        /* [most rows of a parameter] what its rows are multiplied by */
    float *step;          /* [size] optim/whole.c: where parameters are going to */
    int adjusts;          /* penalties, decay or clipvalue come before a step */
    int penalized;        /* the loss has penalties */
    int whole;            /* all of the gradient is needed before a step */
    int follows;          /* something follows each update: averages, constraints */
    uint64_t product_steps; /* nadam: steps in */
    double product;         /* … the product of its momenta, while they grow */
} fm_surroundings;

/* How fast batches went on one thread and on many, so that the faster way can be taken: see run/train.c. */
typedef struct fm_pace {
    double seconds_per_row[2]; /* on one thread, on many */
    double until_probe;        /* seconds of work until both are measured again */
    int threads;               /* how many `many` is */
    int probes;                /* how often both were measured */
} fm_pace;

#define FM_SPARE_WORKSPACES 8

/* Writes one of the numbers of fm_state, which others read without a lock. */
#define FM_PUBLISH(to, value) __atomic_store(&(to), &(value), __ATOMIC_RELAXED)

struct fm_network {
    const fm_kernels *kernels;
    int buffer_count, node_count, parameter_count;
    ptrdiff_t *width;  /* [buffer] */
    ptrdiff_t *per;    /* [buffer] its rows for each row of the batch: 1 but between a fold and its unfold */
    ptrdiff_t most_per;
    ptrdiff_t *stride; /* [buffer] floats from row to row: padded, and kept off powers of two that would share cache sets */
    fm_node *nodes;
    ptrdiff_t (*shape)[2]; /* [parameter] */
    ptrdiff_t *offset;     /* [parameter] */
    uint8_t *trainable;    /* [parameter] the optimizer moves it */
    ptrdiff_t size;        /* floats in each parameter array */
    int output;
    int penalizes_activity; /* some node adds to the loss */
    int32_t *gathered; /* what the nodes of gathers point at */
    float *tables;     /* what lookups and discretizations point at */
    int *root;         /* [buffer] the buffer whose values it shows: itself, or where branches begin */
    int direct_input; /* only one dense node, with a kernel of its own, reads the input, so it need not be copied to padded rows */
    int accumulates;  /* gradients are added up in their array: some parameters have none, or several nodes */
    double row_flops; /* of one row's forward pass */

    float *value;    /* [size] kernels in panels, biases padded */
    float *slot[FM_SLOTS]; /* [size], NULL where the optimizer has none */
    float *gradient; /* [size], NULL until wanted */
    char *slot_memory, *gradient_memory, *plan_memory, *value_memory;

    fm_lazy lazy;

    int configured;
    fm_term *terms; /* [term_count], and behind them their metrics */
    int term_count;
    ptrdiff_t target_columns; /* of y */
    fm_update_spec update;
    fm_surroundings around;
    fm_state state;
    fm_fpmode caller_mode; /* of the thread that trains or evaluates, for functions of its own: fpmode.h */
    fm_pace pace[2]; /* of evaluation and of training */

    fm_workspace *batch[2]; /* evaluation's and training's; NULL until wanted */
    fm_workspace *spare[FM_SPARE_WORKSPACES];
    atomic_int spare_taken[FM_SPARE_WORKSPACES];

    fm_lock lock;
    uint64_t task; /* how often it was configured */

    fm_network *next, *previous; /* in the list of all networks: run/fork.c */
    int held_for_fork;
};

/* -- all networks, for a fork: run/fork.c ------------------------------------------------------------------------------------------ */

void fm_enlist(fm_network *network);
void fm_strike_out(fm_network *network);

/* -- memory for batches: run/network.c --------------------------------------------------------------------------------------------- */

/* A workspace for `rows` rows. NULL if there is no memory. */
fm_workspace *fm_workspace_new(const fm_network *network, ptrdiff_t rows, int room, int workers);
void fm_workspace_free(fm_workspace *workspace);

/* Room for a batch's input with its zeros. */
fm_status fm_need_input(const fm_network *network, fm_workspace *workspace);

/* Where parameter and slot arrays hold the gradient; allocates it. */
fm_status fm_need_gradient(fm_network *network);

/* Copies the gradients, [parameter] in the plan's shapes; NULL where one is not wanted. */
void fm_copy_gradients(fm_network *network, float *const *to);

/* -- products of a dense node: ops/dense.c ----------------------------------------------------------------------------------------- */

/* One pass over a batch: whose, how many rows, and which of the threads this is. */
typedef struct fm_pass {
    fm_network *network;
    fm_workspace *workspace;
    ptrdiff_t rows;
    const float *input; /* [rows][input_row] */
    ptrdiff_t input_row;
    int training;  /* all nodes are as in training: dropout is on */
    int as_called; /* those of FM_MODE_TRAINING are */
    uint64_t draw; /* which of the streams of noise that belong to the seed: see fm_noise_key */
    ptrdiff_t first_row; /* of the rows of a call, where a pass takes some of them */
    int measured; /* only nodes that the objective needs are run */
    int sparse;   /* the input is in the workspace's lists */
    fm_worker worker;
} fm_pass;

/* The optimizer's step with this iteration's constants; `update` NULL keeps the gradient instead, for whole.c where that makes the steps. */
typedef struct fm_step {
    void (*update)(const fm_update *);
    void (*replay)(const fm_replay *); /* NULL for rules whose steps cannot be put off */
    fm_update constants;
    float decay;    /* learning rate · weight decay */
    uint64_t taken; /* steps before this one */
    int last;       /* of the batches whose gradients make a step */
} fm_step;

/* True for a node that does what it does in training. */
static inline int fm_trains(const fm_pass *pass, const fm_node *node) {
    return pass->training || (pass->as_called && node->spec.mode == FM_MODE_TRAINING);
}

/* Rows of a buffer that a workspace has room for; rows in a pass, and the room rounded up to whole panels. */
static inline ptrdiff_t fm_capacity(const fm_network *network, const fm_workspace *workspace, int buffer) {
    return workspace->rows * network->per[buffer];
}
static inline ptrdiff_t fm_rows(const fm_pass *pass, int buffer) { return pass->rows * pass->network->per[buffer]; }
static inline ptrdiff_t fm_room(const fm_pass *pass, int buffer) { return FM_ROUND_UP(pass->workspace->rows * pass->network->per[buffer]); }

/* What of an output of rows × panels a worker computes; rows are cut at multiples of 16. */
typedef struct fm_part {
    fm_range rows, panels;
} fm_part;
fm_part fm_share_output(ptrdiff_t rows, ptrdiff_t panels, fm_worker worker);

#define FM_SCRATCH_PANEL (FM_BLOCK_ROWS * FM_PANEL)

/* This worker's part of the workspace's scratch: [FM_BLOCK_PANELS][FM_BLOCK_ROWS][16]. */
static inline float *fm_scratch(const fm_pass *pass) {
    return pass->workspace->scratch + (ptrdiff_t)pass->worker.id * FM_BLOCK_PANELS * FM_SCRATCH_PANEL;
}

/* Elements of a buffer that this worker's rows cover, when all rows are handled alike: whole padded rows, end to end. */
typedef struct fm_span {
    ptrdiff_t first_row, rows, begin, n;
} fm_span;
static inline fm_span fm_share_buffer(const fm_pass *pass, int buffer) {
    const fm_range rows = fm_share_rows(fm_rows(pass, buffer), pass->worker);
    const ptrdiff_t stride = pass->network->stride[buffer];
    const ptrdiff_t count = rows.end > rows.begin ? rows.end - rows.begin : 0;
    return (fm_span){rows.begin, count, rows.begin * stride, count * stride};
}

/* Rows of a block whose operand has `depth` floats a row, and room for such an operand of any layer and any depth up to `depth`. */
ptrdiff_t fm_block_rows(ptrdiff_t depth);
ptrdiff_t fm_packed_floats(const fm_network *network, ptrdiff_t depth);

/* Floats from panel to panel, and from strip to strip, of the gradient of a node's sums. */
ptrdiff_t fm_panel_floats(const fm_network *network, const fm_workspace *workspace, const fm_node *node);
ptrdiff_t fm_strip_floats(const fm_node *node);

void fm_dense_forward(const fm_pass *pass, const fm_node *node);
void fm_dense_input_gradient(const fm_pass *pass, const fm_node *node);
void fm_kernel_update(const fm_pass *pass, const fm_node *node, const fm_step *step);
void fm_bias_update(const fm_pass *pass, const fm_node *node, const fm_step *step);

/* -- normalisation, PReLU and scaling of columns: ops/norm.c ----------------------------------------------------------------------- */

/* Floats such a node keeps for its way back, for batches of `rows` rows. */
ptrdiff_t fm_normalize_memo(const fm_network *network, const fm_node *node, ptrdiff_t rows);

void fm_normalize_forward(const fm_pass *pass, const fm_node *node, int index);

/* True for a batch normalization whose moments are the batch's own. */
int fm_takes_moments(const fm_pass *pass, const fm_node *node);

/* The gradient of the input, where one is wanted, and the step of the parameters; begins after a barrier, ends without one. */
void fm_normalize_backward(const fm_pass *pass, const fm_node *node, int index, const fm_step *step);

/* Moves the moving statistics of all batch normalizations by this batch's: once a batch that the optimizer moves parameters for. */
void fm_move_statistics(const fm_pass *pass);

/* -- whole numbers as columns: ops/embedding.c ------------------------------------------------------------------------------------- */

ptrdiff_t fm_embed_memo(const fm_network *network, const fm_node *node);
void fm_embed_forward(const fm_pass *pass, const fm_node *node);
void fm_encode_forward(const fm_pass *pass, const fm_node *node);
void fm_embed_update(const fm_pass *pass, const fm_node *node, int index, const fm_step *step);

/* -- inputs that are mostly zero: ops/dense_sparse.c ------------------------------------------------------------------------------- */

/* False if this network's input is never worth looking at: the first layer is narrow, or cannot skip. */
int fm_may_skip(const fm_network *network);

/* Share of non-zeros below which skipping the others pays. */
double fm_share_that_pays(const fm_network *network, int listed);

/* True if so few of these numbers are not zero that visiting only those pays; `listed` if they need not be looked for. */
int fm_is_sparse(const fm_network *network, ptrdiff_t nonzeros, ptrdiff_t count, int listed);

/* Room for the lists of a batch by row: for what dense rows are compressed to as well, or only for where given lists lie. */
fm_status fm_need_row_lists(const fm_network *network, fm_workspace *workspace, int compressed);

/* Room to begin the lists by column; they grow with what a batch holds. */
fm_status fm_need_column_lists(const fm_network *network, fm_workspace *workspace);
void fm_free_lists(fm_workspace *workspace);

/* Lists one dense row. */
void fm_compress_row(const fm_network *network, fm_workspace *workspace, ptrdiff_t row, const float *x);

/* From the lists by row to this worker's share of those by column. 0 if there is no memory. */
int fm_list_columns(const fm_pass *pass);

/* Whose columns, and what panels of their weights, a worker takes: all columns of some panels, or its own of all panels. */
typedef struct fm_share_of_columns {
    const fm_columns *columns; /* [count] */
    int count;
    fm_range panels;
} fm_share_of_columns;
fm_share_of_columns fm_share_columns(const fm_pass *pass, const fm_node *node);

void fm_sparse_forward(const fm_pass *pass, const fm_node *node);
void fm_sparse_kernel_update(const fm_pass *pass, const fm_node *node, const fm_step *step);

/* -- updates: optim/update.c ------------------------------------------------------------------------------------------------------- */

/* This iteration's constants of the optimizer. */
fm_step fm_step_of(const fm_network *network);

/* Makes slots and all else the network's update needs, or frees what there is. */
fm_status fm_new_update(fm_network *network, const fm_update_spec *update);
void fm_free_update(fm_network *network);

/* Brings what depends on the number of updates up to date with it; by one thread, before fm_step_of. */
void fm_follow_iterations(fm_network *network);

/* The optimizer's step on n numbers of a parameter from `offset`, given their gradient, which is used up. Only with no rule, where the
 * gradient goes to its array as it is, may the numbers of several parameters come together. */
void fm_apply_step(const fm_network *network, const fm_step *step, ptrdiff_t offset, ptrdiff_t n, float *gradient);

/* What a worker has of a parameter: some of its panels. */
typedef struct fm_stretch {
    int parameter;
    fm_range panels;
    ptrdiff_t offset, n, rows, cols; /* cols: of these panels, pads left out */
} fm_stretch;
fm_stretch fm_share_parameter(const fm_network *network, int p, fm_worker worker);

/* Σ|x|, unless that is NULL, and Σx² of the columns of a stretch; x points at the array it lies in, the sums are [padded units of all]. */
void fm_sum_columns(const fm_network *network, const fm_stretch *s, const float *x, float *absolute, float *square);

/* The sum of a parameter's columns. */
double fm_sum_of(const fm_network *network, int p, const float *columns);

/* This worker's share of the sums that the penalties are made of; after a barrier, their value. */
void fm_sum_penalties(const fm_pass *pass);
double fm_penalty(const fm_network *network);

/* Adds the penalties' gradients to the gradient array. */
void fm_add_penalty_gradients(const fm_pass *pass);

/* The update as a pass of its own, over gradients that have been through memory. */
void fm_update_apart(const fm_pass *pass, const fm_step *step);

/* The step of all parameters, by rules that look at a whole one: optim/whole.c. */
void fm_step_whole(const fm_pass *pass, const fm_step *step);

/* What follows an update: averages and constraints. */
void fm_follow_update(const fm_pass *pass, const fm_step *step);

/* -- penalties on angles: optim/orthogonal.c --------------------------------------------------------------------------------------- */

fm_status fm_new_orthogonal(fm_orthogonal *orthogonal, const fm_parameter_rule *rule, const ptrdiff_t shape[2]);

/* This worker's vectors: their cosines with all others and, in training, the penalty's derivative. All workers call it. */
void fm_sum_cosines(const fm_pass *pass, int parameter);

/* After a barrier: the mean |cosine| of two vectors, and the derivative added to some panels of the gradient. */
double fm_mean_cosine(const fm_orthogonal *orthogonal);
void fm_add_turns(const fm_network *network, int parameter, fm_range panels);

/* -- steps put off: optim/deferred.c ----------------------------------------------------------------------------------------------- */

/* True if a step with gradient zero leaves parameters and slots alone. */
int fm_stands_still(const fm_network *network);

/* False if rows must take every step when it comes. */
int fm_may_put_off(const fm_network *network);
fm_status fm_need_lazy(fm_network *network);
void fm_forget_lazy(fm_network *network);

/* Takes all rows for up to date, when nobody knows any more which steps they have put off. */
void fm_drop_lazy(fm_network *network);

/* Notes this worker's listed columns that have steps to catch up on; then all workers catch up on theirs. */
void fm_list_late(const fm_pass *pass);
void fm_catch_up(const fm_pass *pass);

/* This worker's listed columns have taken so many steps. */
void fm_mark_columns(const fm_pass *pass, ptrdiff_t steps);

/* A step has been done: by worker 0, while nobody looks. */
void fm_note_step(fm_network *network, const fm_step *step);

/* Brings all rows up to date: by all workers of a call, or from outside one. */
void fm_settle_share(fm_network *network, fm_worker worker);
void fm_settle(fm_network *network);

/* -- rows: data/gather.c ----------------------------------------------------------------------------------------------------------- */

/* Copies this worker's rows of a batch, through the order, into the workspace, or lists them if the pass is sparse. 0 if an index, a label
 * or a sparse row is out of range. */
int fm_gather(const fm_pass *pass, const fm_batches *batches, int64_t batch);

/* One row of an input that comes without zeros: listed if the pass is sparse, else with its zeros. 0 if it is out of range. */
int fm_take_csr_row(const fm_pass *pass, const fm_csr *x, int64_t from, ptrdiff_t row);

/* Numbers that are not zero in a few rows spread over the data, and how many were looked at. */
void fm_sample_nonzeros(const fm_network *network, const fm_batches *batches, ptrdiff_t *nonzeros, ptrdiff_t *count);

/* -- how nodes are connected: graph/link.c ----------------------------------------------------------------------------------------- */

int fm_is_sound_plan(const fm_plan *plan);

/* Rows of each buffer for a row of the batch: network->per. 0 if they do not go together. */
int fm_count_rows(fm_network *network);

/* True for nodes that have parameters, and for those whose parameters are vectors with an element for each column. */
int fm_has_kernel(fm_op op);
int fm_has_columns(fm_op op);

/* True for nodes that move columns and rows, and that compute across columns: ops/arrange.c. */
int fm_is_arrangement(fm_op op);

/* 1 if nodes read what is there when their turn comes, and buffers are read as fm_plan says; 0 if not, -1 if there is no memory. */
int fm_is_sound_graph(const fm_plan *plan);

/* True for nodes that read `other` as well. */
int fm_reads_two(fm_op op);

/* True for nodes with parameters that the optimizer moves. */
int fm_moves_parameters(const fm_plan *plan, const fm_node_spec *node);

/* What each node's neighbours do for it: see fm_node. */
void fm_link_nodes(fm_network *network);

/* Which nodes these losses need, and which their gradient reaches. 0 if a loss reads what others read too. */
int fm_link_objectives(fm_network *network, const fm_term *terms, int count);

/* -- numbers replaced by whole ones: ops/lookup.c ---------------------------------------------------------------------------------- */

int fm_copy_tables(fm_network *network);
void fm_lookup_forward(const fm_pass *pass, const fm_node *node);

/* -- nodes that join and part: ops/merge.c ----------------------------------------------------------------------------------------- */

void fm_merge_forward(const fm_pass *pass, const fm_node *node);
void fm_merge_backward(const fm_pass *pass, const fm_node *node);

/* -- nodes that move columns and rows, and what is computed across them: ops/arrange.c --------------------------------------------- */

void fm_arrange_forward(const fm_pass *pass, const fm_node *node);
void fm_arrange_backward(const fm_pass *pass, const fm_node *node);

/* -- what is minimised and measured: run/objective.c ------------------------------------------------------------------------------- */

int fm_is_sound_objective(const fm_network *network, const fm_objective *objective);

/* Copies of the objectives and, behind them, of their metrics; NULL if there is no memory. */
fm_term *fm_copy_terms(const fm_network *network, const fm_objective *objectives, int count);

/* True for losses and accuracies whose targets are labels. */
int fm_has_labels(int loss);

/* True if the targets are integers, not numbers: those of the only loss, which reads labels. */
int fm_reads_labels(const fm_network *network);

/* True if the loss or a metric smooths its targets, which takes room for a second copy. */
int fm_smooths(const fm_objective *objective);

/* Whether a loss is NaN or infinite, and whether the caller's own loss function failed. */
typedef struct fm_outcome {
    int non_finite, interrupted;
} fm_outcome;

/* One of the losses, its gradient when training, and its metrics, for this worker's rows. */
fm_outcome fm_measure(const fm_pass *pass, const fm_batches *batches, int term);

/* -- whole passes: run/executor.c -------------------------------------------------------------------------------------------------- */

/* Fills the buffers; ends with a barrier. */
void fm_forward(const fm_pass *pass);

/* From the gradient of the objective's source down to the first parameters, updating each node as soon as its gradient is known; ends
 * without a barrier. */
void fm_backward(const fm_pass *pass, const fm_step *step);

/* -- random numbers: base/rng.c ---------------------------------------------------------------------------------------------------- */

uint32_t fm_low(uint64_t value);
uint32_t fm_high(uint64_t value);

/* The key of a stream of noise: the seed itself for draw 0, else words that Philox makes of both. */
void fm_noise_key(uint64_t seed, uint64_t draw, uint32_t key[2]);

#endif
