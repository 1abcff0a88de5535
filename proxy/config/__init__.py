"""The configuration: files → nodes with places → a checked model. Only `source` reads files."""
