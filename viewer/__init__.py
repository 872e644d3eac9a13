"""The browser's pages: worklist, patients, scans and upload, served by aiohttp."""
