"""The edge daemon: its rules as tables, its journal and loop under crashes."""
