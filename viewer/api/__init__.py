"""The API for programs: `/api/v1` in JSON, over the same functions as the pages.

`endpoints` is the table of all operations: router, guard and OpenAPI document are made from it.
"""
