"""The transitions as typed functions: one module per family, one function per script."""
