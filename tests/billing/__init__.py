"""The money rules, each as a table or a property."""
