"""Login by the hospital's own accounts: OpenID Connect, what it proves, and the pages around it."""
