"""This package judges vectors that TFRS and implicit trained, after `butaca import-vectors` took them."""
