"""`python -m nas`: the command `nas` where its script is not on the path."""

from nas.cli import main

if __name__ == "__main__":
    main()
