"""Programs that measure the node, and the data that they and the demo run on.

Reading order of the data: `vocabulary`, `enterprises`, `production`, then the trades (`machinery`, `fibre`, `garment`,
`logistics`), `schedule`, `forms`, `identifiers`.
"""
