"""Layers as a graph of calls, and its lowering to what an engine runs."""
