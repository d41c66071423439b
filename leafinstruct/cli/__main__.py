"""`python -m leafinstruct.cli`, as torchrun wants it."""

from leafinstruct.cli import main

if __name__ == "__main__":
    main()
