"""Plots of training and of decision boundaries, in one style."""
