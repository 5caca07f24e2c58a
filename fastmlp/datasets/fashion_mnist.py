"""Fashion-MNIST: 70,000 images of clothing in 10 classes, in the format of MNIST (Xiao, Rasul and Vollgraf, 2017; MIT license).

The classes are T-shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag and ankle boot. The four compressed IDX files are
read from ``$FASTMLP_DATA/fashion-mnist`` or the cache, or else downloaded to the cache (31 MB).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp.datasets._files import KERAS_ORIGIN, RemoteFile
from fastmlp.datasets._idx import read_idx

__all__ = ["load_data"]

_Pair: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.uint8]]

_MIRRORS = (KERAS_ORIGIN, "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/")
_DIGESTS = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}


def load_data() -> tuple[_Pair, _Pair]:
    """Loads the images, which are downloaded once and cached.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: uint8 arrays ``(60000, 28, 28)``, ``(60000,)``, ``(10000, 28, 28)`` and ``(10000,)``.

    Raises:
        DownloadError: The images are not on this machine and can't be downloaded; the message says where to put the files manually.

    Example:
        >>> from fastmlp.datasets import fashion_mnist
        >>> (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()  # doctest: +SKIP
        >>> x_train.shape, x_train.dtype  # doctest: +SKIP
        ((60000, 28, 28), dtype('uint8'))
    """
    files = [RemoteFile("fashion-mnist", name, digest, _MIRRORS) for name, digest in _DIGESTS.items()]
    x_train, y_train, x_test, y_test = (read_idx(file.obtain()) for file in files)
    return (x_train, y_train), (x_test, y_test)
