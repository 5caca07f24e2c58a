"""Estimators for scikit-learn: its own multilayer perceptrons on fastmlp's engine, with the same parameters and attributes.

Needs scikit-learn ≥ 1.6: ``pip install "fastmlp[sklearn]"``.

Example:

>>> from sklearn.datasets import load_iris
>>> from fastmlp.sklearn import MLPClassifier
>>> x, y = load_iris(return_X_y=True)
>>> classifier = MLPClassifier(max_iter=500, random_state=0).fit(x, y)
>>> classifier.score(x, y) > 0.95
True
"""

try:
    from sklearn import __version__ as _version
except ImportError as error:
    raise ImportError('fastmlp.sklearn needs scikit-learn: pip install "fastmlp[sklearn]"') from error
if tuple(map(int, _version.split(".")[:2])) < (1, 6):
    raise ImportError(f'fastmlp.sklearn needs scikit-learn 1.6 or later, but {_version} is installed: pip install -U "scikit-learn>=1.6"')

from fastmlp.sklearn._classifier import MLPClassifier
from fastmlp.sklearn._regressor import MLPRegressor
from fastmlp.sklearn._sequential import SequentialClassifier, SequentialRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "SequentialClassifier", "SequentialRegressor"]
