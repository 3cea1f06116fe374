"""``python -m nestlfp.build``: the steps of the CMake project."""

from .cmake import main

if __name__ == "__main__":
    main()
