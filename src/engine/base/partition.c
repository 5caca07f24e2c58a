/* Who computes what: work is split over outputs, never over a summed axis, so no bit depends on the number of threads. */
#include "engine/base/partition.h"

fm_range fm_share(ptrdiff_t count, fm_worker worker) {
    if (worker.count == 1)
        return (fm_range){0, count};
    return (fm_range){count * worker.id / worker.count, count * (worker.id + 1) / worker.count};
}

fm_range fm_share_rows(ptrdiff_t rows, fm_worker worker) {
    fm_range range = fm_share(FM_ROUND_UP(rows) / FM_PANEL, worker);
    range.begin *= FM_PANEL;
    range.end = range.end * FM_PANEL < rows ? range.end * FM_PANEL : rows;
    return range;
}

/* Work is cut along the direction that divides more evenly; panels for choice, so that a thread meets the same weights again and again. */
fm_part fm_share_output(ptrdiff_t rows, ptrdiff_t panels, fm_worker worker) {
    if (worker.count == 1)
        return (fm_part){{0, rows}, {0, panels}};
    const ptrdiff_t units = FM_ROUND_UP(rows) / FM_PANEL;
    const ptrdiff_t most_units = (units + worker.count - 1) / worker.count;
    const ptrdiff_t most_panels = (panels + worker.count - 1) / worker.count;
    fm_part part = {{0, rows}, {0, panels}};
    if (most_panels * units <= most_units * panels)
        part.panels = fm_share(panels, worker);
    else
        part.rows = fm_share_rows(rows, worker);
    return part;
}
