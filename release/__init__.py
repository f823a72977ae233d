"""This package checks what is about to be published: `make dist` calls it."""
