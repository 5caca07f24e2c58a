"""What may surround an optimizer's step, and plans with penalties and bounds."""

from dataclasses import replace

from networks import perceptron

from fastmlp._engine.spec import Bounds, Penalty, Plan

OPTIONS = {
    "decay": {"weight_decay": 0.3},
    "decay of kernels": {"weight_decay": 0.3, "undecayed": (1, 3)},
    "clipnorm": {"clipnorm": 0.05},
    "global_clipnorm": {"global_clipnorm": 0.1},
    "clipvalue": {"clipvalue": 0.005},
    "average": {"ema_momentum": 0.9},
    "overwritten": {"ema_momentum": 0.5, "ema_overwrite_frequency": 3},
    "accumulation": {"accumulate": 3},
    "everything": {"weight_decay": 0.2, "clipnorm": 0.1, "ema_momentum": 0.8, "ema_overwrite_frequency": 2, "accumulate": 2},
}
PENALTIES = {
    "l1": Penalty(l1=0.002),
    "l2": Penalty(l2=0.01),
    "l1 and l2": Penalty(l1=0.001, l2=0.02),
    "rows": Penalty(orthogonal=0.5),
    "columns": Penalty(orthogonal=0.5, columns=True),
    "all": Penalty(0.001, 0.01, 0.2),
}
BOUNDS = {
    "non negative": Bounds("non_negative"),
    "units": Bounds("norm", 0, 0.2, 0.7),
    "inputs": Bounds("norm", 1, 0.0, 0.5),
    "all": Bounds("norm", None, 1.0, 1.0),
    "on the way": Bounds("norm", 0, 0.9, 1.0, 0.3),
}


def plan_with(widths, penalty=None, bounds=None):
    """Penalties and bounds on the kernels; biases get those that fit vectors."""
    plan = perceptron(widths, "tanh", "linear", rate=0.2)
    of_bias = replace(penalty, orthogonal=0.0) if penalty else None
    bias_bounds = replace(bounds, axis=None) if bounds else None
    parameters = [
        replace(one, penalty=penalty if len(one.shape) == 2 else of_bias, bounds=bounds if len(one.shape) == 2 else bias_bounds)
        for one in plan.parameters
    ]
    return Plan(plan.widths, plan.nodes, tuple(parameters), plan.output)
