"""OGC SensorThings API 1.1 (18-088): a view of stations, series and readings, mounted at /sta/v1.1/.

Pure rooms: `schema` (entities of the standard), `paths`, `options`, `grammar`, `predicate`, `moments`, `ids`, `patches`, `errors`.
The mapping onto our registers stands in `world` (rows to entities and back along their relations), `readings`
(observations), `change` (creating, changing and removing); another version of the standard is another `schema` and `world`.
"""
