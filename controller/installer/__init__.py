"""How a machine becomes a site's gateway by one command: what it runs, and what it is given.

- ``install.sh``: what the machine runs, the same for every site.
- ``script``: PURE. The words of one site put in front of it, each quoted, and what is refused.
- ``bundle``: the agent out of the sources that this controller runs from, as one archive whose
  bytes are the same whenever it is made of the same sources.

The controller serves all three itself (`controller.api.install`), and names the archive by its hash
in the script, and the script by its hash beside the command.
"""
