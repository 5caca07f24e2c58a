"""Users' own tables on the command line."""
