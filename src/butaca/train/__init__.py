"""This room trains: batches, the compiled step over a mesh, the loop, its callbacks and checkpoints."""
