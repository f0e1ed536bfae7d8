"""The data plane: pure rules by table, the Linux gateway by real packets."""
