"""`python -m anruflotse` is `anruflotse`."""

from anruflotse.cli import main

if __name__ == "__main__":
    main()
