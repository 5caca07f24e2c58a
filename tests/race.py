"""A data race on purpose: one thread writes an array while another reads it. For .ci/run, which sees that ThreadSanitizer sees it."""

import threading

import numpy as np

from fastmlp import _core

order = np.empty(200_000, np.uint32)


def write() -> None:
    for epoch in range(5):
        _core.shuffle(1, epoch, order)


def read() -> None:
    for _ in range(200):
        _core.first_nonfinite(order.view(np.float32))


threads = [threading.Thread(target=write), threading.Thread(target=read)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
