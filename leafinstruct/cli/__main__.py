"""`python -m leafinstruct.cli`, the form that torchrun needs."""

from leafinstruct.cli import main

if __name__ == "__main__":
    main()
