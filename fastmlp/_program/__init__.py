"""Functions of tensors as programs: recorded, simplified, differentiated, run by NumPy, and stored as data.

A function is called once with :class:`~fastmlp._program.recording.Value` objects, which stand for arrays. Every operation is recorded as an
:class:`~fastmlp._program.recording.Instruction`; the list of them is a :class:`~fastmlp._program.program.Program`. All operations are rows
of one table (:mod:`fastmlp._program.table`), with shapes, value and gradient, from which everything else follows.
"""

from fastmlp._program import arranging as arranging
from fastmlp._program import elementwise as elementwise
from fastmlp._program import reductions as reductions
