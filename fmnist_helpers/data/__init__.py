"""Fashion-MNIST made ready: verified on disk, from a mirror, or drawn as a stand-in.

``prepare_data`` is the door; ``prepare`` holds its steps, ``download`` fetches one file, ``reasons`` says why it
could not, ``disk`` keeps the folder, ``standin`` draws, and ``standin_fit`` is how the stand-in was made.
"""

from fmnist_helpers.data.prepare import CLASSES, DataError, prepare_data

__all__ = ["CLASSES", "DataError", "prepare_data"]
