"""This room holds what a training step spends its time on, as machine code (extra `native`).

    emit      a small vocabulary for writing it: loops, vectors, the exponential
    passes    the tiled softmax's two passes over a part of the catalogue
    rows      sums of rows of a table
    handler   how XLA calls them, and the threads that share the parts
    kernels   how they are compiled for this processor and reached from JAX

model/tiles.py and model/rows.py say the same in JAX, and are what runs where this can't. model/kernels.py
is the one door, which decides.
"""
