"""The model registry: which versions a model has, how they are ordered, and what changes between two of them."""
