"""The contract between Python and the engines, and the engines behind it."""
