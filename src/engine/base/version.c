/* What this build is. */
#include "fastmlp.h"

const char *fm_version(void) { return FASTMLP_VERSION; }

const char *fm_compiler(void) {
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#else
    return "unknown";
#endif
}
