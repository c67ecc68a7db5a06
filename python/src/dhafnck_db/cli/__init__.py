"""The command line; it alone prints, reads arguments and exits."""
