"""Public warnings: compose, approve, publish, chase the answer, measure."""
