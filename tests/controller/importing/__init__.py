"""What routers tell, as plans, customers and codes."""
