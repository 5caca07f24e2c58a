/* Divides work among workers: over outputs, never over a summed axis, so that no bit depends on the number of threads. */
#include "engine/base/partition.h"

fm_range fm_partition(ptrdiff_t count, fm_worker worker) {
    if (worker.count == 1)
        return (fm_range){0, count};
    return (fm_range){count * worker.id / worker.count, count * (worker.id + 1) / worker.count};
}

fm_range fm_partition_rows(ptrdiff_t rows, fm_worker worker) {
    fm_range range = fm_partition(FM_ROUND_UP(rows) / FM_PANEL, worker);
    range.begin *= FM_PANEL;
    range.end = range.end * FM_PANEL < rows ? range.end * FM_PANEL : rows;
    return range;
}

/* Divides the axis that divides more evenly. If both do, panels, so that a thread reads the same weights in every batch; but rows if there are
 * twice as many, so that a thread reads the rows that it wrote itself. */
fm_output_shard fm_partition_output(ptrdiff_t rows, ptrdiff_t panels, fm_worker worker) {
    if (worker.count == 1)
        return (fm_output_shard){{0, rows}, {0, panels}, 1};
    const ptrdiff_t units = FM_ROUND_UP(rows) / FM_PANEL;
    const ptrdiff_t max_units = (units + worker.count - 1) / worker.count;
    const ptrdiff_t max_panels = (panels + worker.count - 1) / worker.count;
    const ptrdiff_t share_of_rows = max_units * panels, share_of_panels = max_panels * units; /* the largest of any worker */
    fm_output_shard shard = {
        {0, rows}, {0, panels}, share_of_rows < share_of_panels || (share_of_rows == share_of_panels && units >= 2 * panels)};
    if (shard.by_rows)
        shard.rows = fm_partition_rows(rows, worker);
    else
        shard.panels = fm_partition(panels, worker);
    return shard;
}
