"""The language: pydantic models of what people write. One module a document, `service` for what they share."""
