"""What customers see: small ASGI applications, each over one Protocol.

- ``captive/``  the hotspot sign-in page; runs on the agent, works with the link down
- ``account/``  the page that sells activation tokens; runs on the controller
- ``captive/text/``  every sentence a customer reads, English and Swahili

Portal code may use the value types of ``billing`` and nothing else of ours.
"""
