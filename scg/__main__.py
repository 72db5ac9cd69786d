"""``python -m scg`` is the ``scg`` command."""

from scg.cli import main

if __name__ == "__main__":
    main()
