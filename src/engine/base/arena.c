/* One aligned allocation for many arrays, with checked sizes. */
#include "engine/base/arena.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 * 1024 * 1024)

size_t fm_layout_add(fm_layout *layout, ptrdiff_t rows, ptrdiff_t columns, size_t size) {
    const size_t at = layout->bytes;
    size_t bytes;
    if (rows < 0 || columns < 0 || __builtin_mul_overflow((size_t)rows, (size_t)columns, &bytes) ||
        __builtin_mul_overflow(bytes, size, &bytes) || __builtin_add_overflow(bytes, (size_t)(FM_ALIGNMENT - 1), &bytes) ||
        __builtin_add_overflow(at, bytes / FM_ALIGNMENT * FM_ALIGNMENT, &layout->bytes) || layout->bytes > PTRDIFF_MAX)
        layout->overflow = 1;
    return at;
}

char *fm_layout_allocate(const fm_layout *layout) {
    if (layout->overflow)
        return NULL;
    size_t bytes = layout->bytes ? layout->bytes : FM_ALIGNMENT;
    const size_t alignment = bytes < HUGE_PAGE ? FM_ALIGNMENT : HUGE_PAGE;
    if (bytes > PTRDIFF_MAX - HUGE_PAGE)
        return NULL;
    bytes = (bytes + alignment - 1) / alignment * alignment;
    char *memory = aligned_alloc(alignment, bytes);
    if (!memory)
        return NULL;
#if defined(MADV_HUGEPAGE)
    if (alignment == HUGE_PAGE)
        madvise(memory, bytes, MADV_HUGEPAGE); /* only a hint; without huge pages, large matrix products wait for address translation */
#endif
    memset(memory, 0, bytes);
    return memory;
}
