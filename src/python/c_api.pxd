# The C interface of fastmlp (fastmlp.h) and the kernel tables (kernels/kernels.h), for the binding.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "kernels/kernels.h" nogil:
    enum: FM_PEAK_MAX
    enum: FM_LAST_OUTPUT_ACTIVATION
    enum: FM_LOSS_PARAMETERS

    ctypedef struct fm_peak:
        ptrdiff_t iterations
        float factor, term
        float *out
        ptrdiff_t *count

    ctypedef struct fm_loss:
        ptrdiff_t rows, cols
        const float *x
        ptrdiff_t x_row
        const float *y
        ptrdiff_t y_row
        const float *weight
        float scale
        float *loss
        float *grad
        ptrdiff_t grad_row

    ctypedef struct fm_kernels:
        const char *name
        void (*peak)(const fm_peak *) noexcept nogil

    ctypedef struct fm_kernel_entry:
        const char *name
        void (*function)()

    const fm_kernels *fm_kernels_at(int index)
    int fm_kernels_supported(const fm_kernels *kernels)
    fm_kernel_entry fm_kernel_entry_at(const fm_kernels *kernels, int index)
    const char *fm_activation_name(int index)
    const char *fm_loss_name(int index)
    const char *fm_optimizer_name(int index)
    const char *fm_hyperparameter_name(int index)

cdef extern from "fastmlp.h" nogil:
    ctypedef struct fm_network:
        pass

    ctypedef enum fm_status:
        FM_STATUS_OK
        FM_STATUS_NO_MEMORY
        FM_STATUS_BAD_PLAN
        FM_STATUS_BAD_ROW
        FM_STATUS_NON_FINITE
        FM_STATUS_BUSY
        FM_STATUS_NOT_READY
        FM_STATUS_INTERRUPTED
        FM_STATUS_REENTERED
        FM_STATUS_OCCUPIED
        FM_STATUS_STOPPED
        FM_STATUS_NON_FINITE_WEIGHTS
        FM_STATUS_STALE

    ctypedef enum fm_op:
        FM_OP_COUNT

    const char *fm_op_name(fm_op op)
    int fm_op_inputs(fm_op op)
    bint fm_op_is_activation(fm_op op)

    ctypedef enum fm_mode:
        FM_MODE_NONE
        FM_MODE_INFERENCE
        FM_MODE_TRAINING
        FM_MODE_INVERT
        FM_MODE_ONE_HOT
        FM_MODE_MULTI_HOT
        FM_MODE_COUNT

    ctypedef enum fm_array:
        FM_ARRAY_VALUE
        FM_ARRAY_GRADIENT
        FM_ARRAY_SLOT_0

    ctypedef enum fm_bucketing:
        FM_BUCKETING_FLOORMOD
        FM_BUCKETING_FARMHASH
        FM_BUCKETING_SIPHASH

    ctypedef struct fm_table:
        int64_t entries
        const float *keys
        const float *values
        int32_t first, buckets
        fm_bucketing method
        uint64_t[2] salt

    ctypedef struct fm_node_spec:
        fm_op op
        int input, output, kernel, bias, activation, mean, variance, other, column, depth, drops
        const int32_t *gathered
        float alpha, threshold, max_value, rate, epsilon, l1, l2
        double momentum
        fm_mode mode
        fm_table table
        const int32_t *edge_counts
        const float *edges

    ctypedef struct fm_plan:
        int buffer_count, node_count, parameter_count
        const int64_t *widths
        const fm_node_spec *nodes
        const int64_t (*shapes)[2]
        int output
        const uint8_t *trainable

    ctypedef struct fm_metric_spec:
        int kind, source, weighted
        float threshold, smoothing
        float[3] parameter

    ctypedef int fm_loss_function(void *context, const fm_loss *arguments) noexcept

    ctypedef struct fm_objective:
        int loss, source, metric_count
        const fm_metric_spec *metrics
        int output
        double weight
        float smoothing
        float[3] parameter
        int ignores
        int32_t ignored
        fm_loss_function *function
        void *context
        ptrdiff_t targets

    ctypedef enum fm_constraint:
        FM_CONSTRAINT_FREE
        FM_CONSTRAINT_NON_NEGATIVE
        FM_CONSTRAINT_NORM

    ctypedef enum fm_axis:
        FM_AXIS_EACH_UNIT
        FM_AXIS_EACH_INPUT
        FM_AXIS_ALL

    ctypedef struct fm_parameter_rule:
        double l1, l2, orthogonal
        int orthogonal_columns, constraint, axis
        double min_value, max_value, rate
        int undecayed, matrix

    ctypedef struct fm_update_spec:
        int kind
        double *hyperparameters  # an array
        double weight_decay, clipnorm, global_clipnorm, clipvalue
        int64_t accumulate
        int ema
        double ema_momentum
        int64_t ema_overwrite_frequency
        const fm_parameter_rule *parameters

    ctypedef struct fm_state:
        uint64_t seed, iterations
        double learning_rate, skip_below
        int unfused

    ctypedef enum fm_field:
        FM_FIELD_SEED
        FM_FIELD_ITERATIONS
        FM_FIELD_LEARNING_RATE
        FM_FIELD_SKIP_BELOW
        FM_FIELD_UNFUSED

    ctypedef struct fm_csr:
        const int64_t *begin
        const int32_t *column
        const float *value
        int64_t entries

    ctypedef struct fm_batches:
        uint64_t task
        int64_t rows, batch_size
        const float *x
        const uint8_t *x_uint8
        const fm_csr *x_csr
        const float *y
        const int32_t *labels
        const float *sample_weight
        int weights
        const uint32_t *order
        const double *rates
        float *predictions

    ctypedef struct fm_input:
        int64_t rows
        const float *x
        const uint8_t *x_uint8
        const fm_csr *x_csr

    const char *fm_version()
    const char *fm_compiler()
    fm_status fm_network_new(const fm_kernels *kernels, const fm_plan *plan, fm_network **network)
    void fm_network_free(fm_network *network)
    fm_status fm_network_get(fm_network *network, uint64_t task, fm_array which, int parameter, float *values)
    fm_status fm_network_set(fm_network *network, uint64_t task, fm_array which, int parameter, const float *values)
    const char *fm_update_slot_name(const fm_update_spec *update, int slot)
    fm_status fm_network_configure(fm_network *network, const fm_objective *objectives, int count, const fm_update_spec *update, uint64_t *task)
    fm_state fm_network_state(const fm_network *network)
    fm_status fm_network_set_state(fm_network *network, fm_field field, fm_state state)
    fm_status fm_network_flush(fm_network *network)
    bint fm_network_is_mine(const fm_network *network)
    double fm_network_skip_below(const fm_network *network)
    fm_status fm_network_train(fm_network *network, const fm_batches *batches, int64_t *next, int64_t stop, double seconds, double *totals)
    fm_status fm_network_evaluate(fm_network *network, const fm_batches *batches, int64_t *next, int64_t stop, double seconds, double *totals)
    fm_status fm_network_gradients(fm_network *network, const fm_batches *batches, double *loss, float **gradients)
    fm_status fm_network_apply_gradients(fm_network *network, uint64_t task, const float **gradients)
    fm_status fm_network_blend(fm_network *network, fm_network *source, int count, float share)
    fm_status fm_network_predict(fm_network *network, const fm_input *input, float *out)
    fm_status fm_network_try_predict(fm_network *network, const fm_input *input, float *out)
    ctypedef enum fm_phase:
        FM_PHASE_TRAINING
        FM_PHASE_CALLED
    fm_status fm_network_apply(fm_network *network, const fm_input *input, fm_phase phase, uint64_t draw, float *out)
    void fm_shuffle(uint64_t seed, uint64_t epoch, uint32_t *order, int64_t n)
    int64_t fm_first_nonfinite(const float *values, int64_t n)
    int64_t fm_first_bad_row(const fm_csr *x, int64_t rows, int64_t inputs)
    void fm_set_threads(int count)
    int fm_get_threads()
