"""Templates with typed holes: Jinja that yields YAML, without any value passing through text.

Modules, in the order that a render goes through them: `language` (what a template may say), `code` (its compilation),
`session` and `filters` (what runs), `parse_back` and `rendered_yaml` (text to data), `rendered` and `trace` (the way
back to the spec and to the template).
"""

from relspec.render.rendered import Hole, Rendered
from relspec.render.session import Raw
from relspec.render.template import TemplateSet

__all__ = ["Hole", "Raw", "Rendered", "TemplateSet"]
