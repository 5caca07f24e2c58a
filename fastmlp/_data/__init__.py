"""What users pass as x, y and weights, as the arrays that the engines read."""
