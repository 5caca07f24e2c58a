"""The location of the C header, for extension modules in C, C++ and Cython that call a model without the GIL."""

from __future__ import annotations

from pathlib import Path


def get_include() -> str:
    """Returns the folder of ``fastmlp_api.h``, for the ``include_dirs`` of an extension module; see docs/c-api.md.

    Example:

    >>> from pathlib import Path
    >>> import fastmlp
    >>> (Path(fastmlp.get_include()) / "fastmlp_api.h").is_file()
    True
    """
    return str(Path(__file__).resolve().parents[1] / "include")
