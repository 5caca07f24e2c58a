/* A worker's shard of a parameter, and sums over its columns. */
#include "engine/optim/parameter_shard.h"

fm_parameter_shard fm_shard_parameter(const fm_network *network, int p, fm_worker worker) {
    const ptrdiff_t rows = network->shape[p][0], units = network->shape[p][1];
    const fm_range panels = fm_partition(FM_ROUND_UP(units) / FM_PANEL, worker);
    const ptrdiff_t end = panels.end * FM_PANEL < units ? panels.end * FM_PANEL : units;
    return (fm_parameter_shard){
        .parameter = p,
        .panels = panels,
        .offset = network->offset[p] + panels.begin * rows * FM_PANEL,
        .n = (panels.end - panels.begin) * rows * FM_PANEL,
        .rows = rows,
        .cols = panels.end > panels.begin ? end - panels.begin * FM_PANEL : 0,
    };
}

void fm_sum_columns(const fm_network *network, const fm_parameter_shard *s, const float *x, float *absolute, float *square) {
    const ptrdiff_t first = network->optimizer.units[s->parameter] + s->panels.begin * FM_PANEL;
    const fm_norms norms = {
        .rows = s->rows,
        .cols = s->cols,
        .x = x + s->offset,
        .x_panel = s->rows * FM_PANEL,
        .absolute = absolute ? absolute + first : NULL,
        .square = square + first,
    };
    network->kernels->column_norms(&norms);
}

double fm_sum_of(const fm_network *network, int p, const float *columns) {
    double sum = 0.0;
    for (ptrdiff_t c = 0; c < network->shape[p][1]; c++)
        sum += (double)columns[network->optimizer.units[p] + c];
    return sum;
}
