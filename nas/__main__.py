"""`python -m nas`: the command `nas` where its script is not on the path."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python looks for modules in the working directory first; it may be a stranger's, and is of use where we lie in it.
    if not sys.flags.safe_path and sys.path[0] != str(Path(__file__).parents[1]):
        del sys.path[0]
    from nas.cli import main

    main()
