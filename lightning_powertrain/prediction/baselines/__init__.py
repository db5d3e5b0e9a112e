"""Predictors to compare with: the paper's method and the naive ones."""
