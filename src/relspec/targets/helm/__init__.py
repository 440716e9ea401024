"""The Helm target: values for the team's charts, and a packaged chart that prints what the rollouts target makes.

`chart` loads a chart from a tree; `values` says what Helm makes of values given to it: which subcharts take part
(`dependencies`), what results (`coalescing`), what the schemas say. `context` is what a values template can read.
`helm_yaml` and `version_range` read YAML and version ranges as Helm's own libraries do.
"""
