"""`bidhall init`: from an empty machine to a platform that can be served: what is asked, how it is checked, and what is done with it."""
