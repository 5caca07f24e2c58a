"""The implementation of compile, fit, evaluate and predict."""
