"""This room makes lists of vectors: the Recommender, and the model folder it is saved in. numpy only."""
