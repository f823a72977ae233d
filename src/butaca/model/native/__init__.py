"""The tiled softmax's two passes as machine code (extra `native`).

    emit      a small vocabulary for writing it: loops, vectors, the exponential
    passes    what is written: the two passes over a part of the catalogue
    handler   how XLA calls it, and the threads that share the parts
    kernels   how it is compiled for this processor and reached from JAX

model/tiles.py says the same in JAX, and is what runs where this can't.
"""
