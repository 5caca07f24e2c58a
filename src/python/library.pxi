# The library: names, instruction sets, threads, and functions without a network.

def _names(kind: str) -> list[str]:
    cdef const char *name
    names = []
    while True:
        if kind == "activation":
            name = fm_activation_name(<int>len(names))
        elif kind == "loss":
            name = fm_loss_name(<int>len(names))
        else:
            name = fm_optimizer_name(<int>len(names))
        if name == NULL:
            return names
        names.append(name.decode())


ACTIVATIONS = {name: index for index, name in enumerate(_names("activation"))}
FUSED_ACTIVATIONS = tuple(ACTIVATIONS)[:FM_LAST_OUTPUT_ACTIVATION + 1]  # that a dense node can have
LOSSES = {name: index for index, name in enumerate(_names("loss"))}
OPTIMIZERS = {name: index for index, name in enumerate(_names("optimizer"))}


cdef const fm_kernels *_find_kernels(str isa) except? NULL:
    cdef int index = 0
    cdef const fm_kernels *kernels
    while True:
        kernels = fm_kernels_at(index)
        if kernels == NULL:
            return NULL
        if kernels.name.decode() == isa:
            return kernels
        index += 1


def compiled_isas() -> list[str]:
    """Names of the instruction sets this build has kernels for, slowest first."""
    names = []
    while fm_kernels_at(<int>len(names)) != NULL:
        names.append(fm_kernels_at(<int>len(names)).name.decode())
    return names


def supported_isas() -> list[str]:
    """Those of :func:`compiled_isas` that this processor and operating system can run."""
    return [isa for isa in compiled_isas() if fm_kernels_supported(_find_kernels(isa))]


def kernel_addresses(isa: str) -> dict[str, int]:
    """Addresses of the C functions of one instruction set, by kernel name, for tests and benchmarks (see src/kernels/kernels.h)."""
    cdef const fm_kernels *kernels = _find_kernels(isa)
    if kernels == NULL:
        raise ValueError(f"no kernels for {isa!r} in this build; there are {', '.join(compiled_isas())}")
    addresses = {}
    cdef fm_kernel_entry entry = fm_kernel_entry_at(kernels, 0)
    while entry.name != NULL:
        addresses[entry.name.decode()] = <uintptr_t>entry.function
        entry = fm_kernel_entry_at(kernels, <int>len(addresses))
    return addresses


cdef const fm_kernels *_kernels = NULL


def _select_isa() -> tuple[str, str]:
    global _kernels
    supported = supported_isas()
    isa = supported[-1]
    reason = "the best this processor supports"
    wanted = os.environ.get("FASTMLP_ISA", "")
    if wanted:
        if wanted not in compiled_isas():
            raise ImportError(f"FASTMLP_ISA is {wanted!r}, but this build of fastmlp has {', '.join(compiled_isas())}; choose one or unset it")
        if wanted not in supported:
            raise ImportError(f"FASTMLP_ISA is {wanted!r}, which this processor cannot run; choose from {', '.join(supported)} or unset it")
        isa, reason = wanted, "FASTMLP_ISA asks for it"
    _kernels = _find_kernels(isa)
    return isa, reason


_ISA, _ISA_REASON = _select_isa()


def version() -> str:
    """The version this binary was built as."""
    return fm_version().decode()


def build_info() -> dict[str, object]:
    """Compiler, instruction sets compiled in, the one in use and why."""
    return {"version": version(), "compiler": fm_compiler().decode(), "isas": compiled_isas(), "isa": _ISA, "isa_reason": _ISA_REASON}


def multiply_adds(iterations: int) -> int:
    """Does nothing but multiply-adds in registers, as fast as a core can; returns how many. A thread that calls it lets the others run."""
    cdef float[FM_PEAK_MAX] out
    cdef fm_peak peak
    cdef ptrdiff_t count = 0
    peak.iterations = iterations
    peak.factor, peak.term = 0.5, 1.0  # every chain tends to 2: no infinity, no denormal
    peak.out, peak.count = out, &count
    with nogil:
        _kernels.peak(&peak)
    return count


def set_threads(count: int) -> None:
    """Sets the maximum number of threads of one call, the caller's included."""
    fm_set_threads(count)


def get_threads() -> int:
    """See :func:`set_threads`."""
    return fm_get_threads()


def shuffle(seed: int, epoch: int, order) -> None:
    """Fills ``order``, uint32 ``(rows,)``, with the permutation for this seed and epoch."""
    cdef cnp.ndarray array = _checked("order", order, _UINT32, 1, True)
    cdef uint64_t c_seed = seed, c_epoch = epoch
    cdef uint32_t *data = <uint32_t *>cnp.PyArray_DATA(array)
    cdef int64_t rows = cnp.PyArray_DIM(array, 0)
    with nogil:
        fm_shuffle(c_seed, c_epoch, data, rows)


def first_nonfinite(values) -> int:
    """Flat index of the first NaN or infinity in a C-contiguous float32 array, or -1."""
    cdef cnp.ndarray array = _checked("values", values, _FLOAT32, -1, False)
    cdef const float *data = <const float *>cnp.PyArray_DATA(array)
    cdef int64_t size = cnp.PyArray_SIZE(array), found
    with nogil:
        found = fm_first_nonfinite(data, size)
    return found


def first_bad_row(starts, columns, width: int) -> int:
    """The first row whose columns do not ascend, or that leaves the array or the width; -1 if all are as in a SparseRows."""
    cdef fm_csr csr
    csr.begin = <const int64_t *>cnp.PyArray_DATA(_checked("starts", starts, _INT64, 1, False))
    csr.column = <const int32_t *>cnp.PyArray_DATA(_checked("columns", columns, _INT32, 1, False))
    csr.entries = len(columns)
    cdef int64_t rows = len(starts) - 1, inputs = width, found
    with nogil:
        found = fm_first_bad_row(&csr, rows, inputs)
    return found
