"""`python -m leafinstruct`, which is the command `leaf`."""

from leafinstruct.cli import main

if __name__ == "__main__":
    main()
