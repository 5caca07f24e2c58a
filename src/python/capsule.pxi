# The capsule through which other extension modules predict: fastmlp/include/fastmlp_api.h.

cdef extern from "api.h":
    ctypedef struct fastmlp_network:
        pass

    fastmlp_network *fm_api_handle(object owner, fm_network *network, int64_t inputs, int64_t outputs) except NULL
    object fm_api_capsule(fastmlp_network *(*acquire)(object model) except NULL)
    void fm_api_watch_signals()


cdef fastmlp_network *_acquire(object model) except NULL:
    """A handle for the network of a model, or for a Network itself."""
    engine_network = model if isinstance(model, Network) else getattr(model, "network", model)
    if engine_network is None:
        raise ValueError("the model is not built, so it has no network yet; begin it with Input(shape=...), or call build or fit")
    if not isinstance(engine_network, Network):
        if engine_network is model:
            raise TypeError(f"model must be a fastmlp model, got {type(model).__name__}")
        raise TypeError("the model runs on the reference engine, which C cannot call; compile it with engine='native'")
    cdef Network network = engine_network
    return fm_api_handle(network, network.network, network.inputs, network.outputs)


_c_api = fm_api_capsule(_acquire)
fm_api_watch_signals()
