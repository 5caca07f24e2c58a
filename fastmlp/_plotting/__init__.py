"""Figures, drawn in one style."""
