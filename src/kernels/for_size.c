/* The kernels that -O3 makes half again as large, but no faster: compiled with -O2, once for each ISA, like for_speed.c. */
#include "bodies.h"

#include "body/activity.h"
#include "body/adjust.h"
#include "body/dropout.h"
#include "body/noise.h"
#include "body/norm.h"
#include "body/periodic.h"
#include "body/row_activation.h"
