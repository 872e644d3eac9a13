"""Pages of who keeps the site: System, accounts, audit, agreement with the network."""
