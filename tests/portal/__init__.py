"""The captive portal: what customers see and what nobody can make it do."""
