"""This package writes the notebooks by task, each in two languages from one text: `make notebooks`."""
