"""Generated code of the wire contract; see proto/README.md."""
