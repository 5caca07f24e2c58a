"""Keras' files: ``.keras``, ``.weights.h5`` and the older ``.h5``, read and written without Keras.

- :mod:`~fastmlp.saving.formats.kerasconfig`: Keras' JSON for models and layers, and ours
- :mod:`~fastmlp.saving.formats.kerascompile`: the same for losses, metrics and optimizers
- :mod:`~fastmlp.saving.formats.kerasgraph`: how the layers of functional models are connected
- :mod:`~fastmlp._base.h5`: HDF5 through h5py, which is imported there and nowhere else
- :mod:`~fastmlp.saving.formats.variables`: where a model's arrays lie
- :mod:`~fastmlp.saving.formats.document`: what the formats have in common
- :mod:`~fastmlp.saving.formats.kerasfile`: ``.keras``, a zip file, and ``.weights.h5``, the HDF5 file that lies in it
- :mod:`~fastmlp.saving.formats.legacyh5`: ``.h5``, a single HDF5 file

Such a file may come from anywhere. It can name layers and other classes of a fixed list only; nothing is imported or unpickled, no code is
run and nothing is unpacked to the disk. Every size is checked against the file and the model before memory is taken.
"""
