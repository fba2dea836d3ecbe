"""The smallest projects that do the same with other packages; each is one file."""
