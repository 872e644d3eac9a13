"""The browser's pages and the API, served by aiohttp; a page is a package or a module.

It shows what the index, the records and the outbox hold, and changes them only through functions
of `daemon`. No SQL, no numpy, no torch. `app` puts it together, `routes` names every address,
`access` guards them, `monitoring` answers machines (health and metrics).
"""
