"""What tests of optimizer kernels share: rules, and what a kernel is given for a step."""

import numpy as np

from fastmlp._engine.spec import Update
from fastmlp.reference.optimizers import slot_names

LAZY_RULES = {
    "sgd": Update("sgd"),
    "sgd with momentum": Update("sgd", momentum=0.9),
    "sgd with Nesterov momentum": Update("sgd", momentum=0.9, nesterov=True),
    "rmsprop": Update("rmsprop", rho=0.9),
    "rmsprop with momentum": Update("rmsprop", rho=0.8, momentum=0.5),
    "adam": Update("adam", beta_1=0.9, beta_2=0.999),
}
"""Rules whose updates can be deferred."""
RATE = 0.01


def constants(rule, t=1):
    """What the kernel is given for step t, from 1, besides the learning rate."""
    momenta = [rule.beta_1 * (1 - 0.5 * 0.96**i) for i in range(1, t + 2)]
    return {
        "momentum": rule.momentum,
        "nesterov": rule.nesterov,
        "centered": rule.centered,
        "amsgrad": rule.amsgrad,
        "rho": rule.rho,
        "one_minus_rho": 1 - rule.rho,
        "beta_1": rule.beta_1,
        "one_minus_beta_1": 1 - rule.beta_1,
        "beta_2": rule.beta_2,
        "one_minus_beta_2": 1 - rule.beta_2,
        "epsilon": rule.epsilon,
        "ahead": 1 - rule.beta_1 * (1 - 1 / t) if rule.kind == "schedule_free" else RATE * momenta[-1] / (1 - np.prod(momenta)),
        "average": 1 / t,
        "correction": 1 / (1 - rule.beta_2**t),
        "l1": rule.l1,
        "l2": 2 * rule.l2 + rule.beta / RATE,
        "shrinkage": 2 * rule.shrinkage,
        "power": rule.power,
    }


def slots_of(rule):
    return len(slot_names(rule))
