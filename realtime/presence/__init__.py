"""Who is there: members of presence channels, and what others may know of them."""
