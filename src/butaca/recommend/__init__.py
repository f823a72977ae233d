"""From vectors to lists: the Recommender, and the model folder it is saved in. numpy only."""
