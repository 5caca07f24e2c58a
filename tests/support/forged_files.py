"""Model files that are whole and say something else: what no program of ours writes."""

from fastmlp._base import model_file


def write(path, document, tensors=None):
    """A file with the checksum that belongs to it."""
    model_file.write(path, document, tensors or {})


def change(path, edit):
    """Changes what a file says: ``edit`` gets its description and its arrays."""
    with model_file.ModelFile(path) as file:
        document, tensors = file.document, file.read(file.shapes)
    edit(document, tensors)
    model_file.write(path, document, tensors)
