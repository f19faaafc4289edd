"""The embedded stack: what `make demo`, `make run`, `make ui` and `make train` stand on. See stack/__main__.py."""
