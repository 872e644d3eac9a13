"""The API for programs: `/api/v1` in JSON, over the same functions as the pages."""
