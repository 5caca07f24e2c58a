"""The C interface as a program sees it, and a small policy to call through it."""

import ctypes

import numpy as np

from fastmlp import _core, layers, models

CAPSULE = b"fastmlp._core._c_api"


class Table(ctypes.Structure):
    """The struct fastmlp_api, as the header's reader would write it down."""

    FLOATS = ctypes.POINTER(ctypes.c_float)
    PREDICT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64, FLOATS, FLOATS)
    COUNT = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
    _fields_ = (
        ("abi_version", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("version", ctypes.c_char_p),
        ("acquire", ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)),
        ("release", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("inputs", COUNT),
        ("outputs", COUNT),
        ("predict", PREDICT),
        ("try_predict", PREDICT),
        ("status_text", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_int)),
    )


def read_table():
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return Table.from_address(get_pointer(_core._c_api, CAPSULE))


def pointer(array):
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_float))


def policy_model(activation="tanh"):
    return models.Sequential(
        [layers.Dense(64, activation, input_shape=(17,)), layers.Dense(64, activation), layers.Dense(6, bias_initializer="normal")]
    )


def first_state():
    return np.linspace(-1, 1, 17).astype(np.float32)


def final_state(rollout, steps):
    state = first_state()
    rollout(state, steps)
    return state
