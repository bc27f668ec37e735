"""`python -m raffinate`: the same as `raffinate`."""

from raffinate.cli import main

if __name__ == "__main__":
    main()
