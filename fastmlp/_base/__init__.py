"""What everything else stands on: checks of arguments, registries, names, seeds, files."""
