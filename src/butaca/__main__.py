"""This module runs the command: `python -m butaca` is `butaca`."""

from butaca.cli.app import main

if __name__ == "__main__":
    main()
